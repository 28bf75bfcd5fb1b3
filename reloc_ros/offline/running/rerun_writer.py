"""A recording for the Rerun viewer: the map, the camera's way and frustum, images with keypoints, and the status."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from reloc_ros.annotate import GREEN, RED, YELLOW
from reloc_ros.bundle import Bundle
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.running.pose_file_writers import Sink
from reloc_ros.offline.sources.frame import Frame
from reloc_ros.scene_size import extent

if TYPE_CHECKING:
    import rerun as rr

_FRUSTUM_SHARE = 0.1
"""Length of the drawn frustum as a share of the map's size."""
_JPEG_QUALITY = 85


def check_rerun_path(path: Path) -> None:
    """Refuse, before anything is done, what cannot be written.

    Raises:
        RelocError: the name is not one of a recording, or rerun-sdk is not installed.
    """
    if path.suffix != ".rrd":
        raise RelocError(f"'{path}' is not the name of a Rerun recording; end it with .rrd")
    if importlib.util.find_spec("rerun") is None:
        raise RelocError("--rerun needs the package rerun-sdk; run pip install rerun-sdk")


@contextmanager
def rerun_writer(path: Path, bundle: Bundle) -> Iterator[Sink]:
    """A .rrd file; it appears when all results are written."""
    import rerun as rr

    with atomic_path(path) as temporary:
        recording = rr.RecordingStream("reloc_ros", recording_id=path.stem)
        recording.save(str(temporary))
        recording.send_blueprint(_blueprint())
        writer = _Writer(recording, bundle)
        yield writer.write
        writer.finish()
        recording.flush()
        recording.disconnect()


def _blueprint() -> Any:
    import rerun.blueprint as rrb

    status = rrb.TimeSeriesView(origin="status", name="status")
    image = rrb.Spatial2DView(origin="image", name="image")
    words = rrb.TextLogView(origin="log", name="log")
    map_view = rrb.Spatial3DView(origin="map", name="map")
    return rrb.Blueprint(rrb.Horizontal(map_view, rrb.Vertical(image, status, words)))


class _Writer:
    """Logs results to a recording."""

    def __init__(self, recording: rr.RecordingStream, bundle: Bundle) -> None:
        import rerun as rr

        self._rr, self._recording = rr, recording
        points = bundle.landmarks.positions_map
        self._frustum_length = _FRUSTUM_SHARE * extent(points)
        self._way: list[list[np.ndarray]] = [[]]
        """Camera centres in the map, a list for each stretch without a lost image."""
        self._number = -1
        if bundle.scale == "metric":
            recording.log("map", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        labels = [str(identity) for identity in bundle.landmarks.ids]
        landmarks = rr.Points3D(points, colors=[GREEN[::-1]], labels=labels, show_labels=False)
        recording.log("map/landmarks", landmarks, static=True)
        if bundle.references is not None:
            recording.log("map/points", rr.Points3D(bundle.references.points_map, radii=-1.0), static=True)

    def write(self, frame: Frame, result: Localized | Lost) -> None:
        """Log one image, what was found in it, and the pose or that there is none."""
        self._number += 1
        self._set_time(frame)
        if frame.image is not None:
            self._write_image(frame.image, result)
        is_localized = isinstance(result, Localized)
        self._write_camera(frame, result)
        log, scalars = self._recording.log, self._rr.Scalars
        log("status/localized", scalars(float(is_localized)))
        log("status/inliers", scalars(float(result.inliers.sum())))
        if not is_localized:
            text = f"{frame.name}: {result.reason.value}: {result.detail}"
            log("log", self._rr.TextLog(text, level=self._rr.TextLogLevel.WARN))

    def finish(self) -> None:
        """Log the camera's whole way, once."""
        stretches = [np.array(stretch) for stretch in self._way if len(stretch) > 1]
        self._recording.log("map/way", self._rr.LineStrips3D(stretches), static=True)

    def _set_time(self, frame: Frame) -> None:
        self._recording.set_time("image", sequence=self._number)
        if frame.stamp_ns is None:
            return
        if frame.recorded_ns is None:  # a video's time begins with it
            self._recording.set_time("time", duration=np.timedelta64(frame.stamp_ns, "ns"))
        else:
            self._recording.set_time("stamp", timestamp=np.datetime64(frame.stamp_ns, "ns"))

    def _write_image(self, image: np.ndarray, result: Localized | Lost) -> None:
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        self._recording.log("image", self._rr.EncodedImage(contents=jpeg.tobytes(), media_type="image/jpeg"))
        is_localized = isinstance(result, Localized)
        colors = [(GREEN if inlier else RED) if is_localized else YELLOW for inlier in result.inliers]
        keypoints = self._rr.Points2D(
            result.keypoints.positions_px + 0.5,  # Rerun's pixels have their corners at whole numbers
            colors=np.array(colors, np.uint8).reshape(-1, 3)[:, ::-1],
            radii=2 * result.keypoints.sigmas_px,
        )
        self._recording.log("image/keypoints", keypoints)

    def _write_camera(self, frame: Frame, result: Localized | Lost) -> None:
        if isinstance(result, Lost):
            # Neither the last pose nor the map's origin stands in for one that was not found.
            self._recording.log("map/camera", self._rr.Clear(recursive=True))
            if self._way[-1]:
                self._way.append([])
            return
        map_from_camera = result.camera_from_map.inverse()
        self._way[-1].append(map_from_camera.translation)
        pose = self._rr.Transform3D(translation=map_from_camera.translation, mat3x3=map_from_camera.rotation)
        self._recording.log("map/camera", pose)
        if frame.camera is not None:
            frustum = self._rr.Pinhole(
                image_from_camera=frame.camera.matrix,
                resolution=[frame.camera.width, frame.camera.height],
                camera_xyz=self._rr.ViewCoordinates.RDF,
                image_plane_distance=self._frustum_length,
            )
            self._recording.log("map/camera", frustum)
