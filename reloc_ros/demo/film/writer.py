"""Films a scene: pictures or a video, the intrinsics and the truth, in files that other tools read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.demo.film.trajectories import CAMERA, Trajectory
from reloc_ros.demo.scene.places import Scene
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.camera_files import colmap_from_camera
from reloc_ros.io.tum import format_tum_pose

Image = NDArray[np.uint8]
QUALITY = 92
"""Of the JPEG pictures, alone or in the video."""


def pictures(scene: Scene, trajectory: Trajectory, camera: Camera = CAMERA) -> Iterator[Image]:
    """The trajectory's frames, (H, W, 3) BGR, one after the other."""
    renderer = Renderer(scene.faces, camera)
    for index, (camera_from_map, exposure) in enumerate(
        zip(trajectory.camera_from_map, trajectory.exposures, strict=True)
    ):
        yield exposure.record(renderer.render(camera_from_map).image, seed=index)


def film(
    output_dir: Path, scene: Scene, trajectory: Trajectory, camera: Camera = CAMERA, video: bool = True
) -> None:
    """Write `video.avi` or `images/00000.jpg` and on, with `truth.tum` and `cameras.txt` beside it.

    Raises:
        RelocError: the folder cannot be written.
    """
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        write_tum(output_dir / "truth.tum", trajectory.times_s, trajectory.camera_from_map)
        write_cameras(output_dir / "cameras.txt", camera)
        frames = pictures(scene, trajectory, camera)
        if video:
            _write_video(output_dir / "video.avi", frames, camera, _rate_hz(trajectory))
        else:
            _write_images(output_dir / "images", frames)
    except OSError as error:
        raise RelocError(f"cannot write the film to {output_dir}: {error}") from error


def _rate_hz(trajectory: Trajectory) -> float:
    rate_hz = float((len(trajectory) - 1) / (trajectory.times_s[-1] - trajectory.times_s[0]))
    # OpenCV rounds the rate in the file; frames would then be off the times in truth.tum.
    if abs(rate_hz - round(rate_hz)) > 1e-6:
        raise RelocError(
            f"a video needs a whole number of frames a second, not {rate_hz:.3f}; film pictures instead"
        )
    return round(rate_hz)


def _write_images(folder: Path, frames: Iterable[Image]) -> None:
    folder.mkdir(exist_ok=True)
    for index, image in enumerate(frames):
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        (folder / f"{index:05}.jpg").write_bytes(data.tobytes())


def _write_video(path: Path, frames: Iterable[Image], camera: Camera, rate_hz: float) -> None:
    # Motion JPEG is in OpenCV itself, on every machine; its frames stand alone, so none smears into the next.
    four_cc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, four_cc, rate_hz, (camera.width, camera.height))
    if not writer.isOpened():
        raise RelocError(f"cannot write the video {path}")
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, QUALITY)
    for image in frames:
        writer.write(image)
    writer.release()


def write_tum(path: Path, times_s: Iterable[float], camera_from_map: Iterable[SE3]) -> None:
    """Write a trajectory in the TUM format: `time tx ty tz qx qy qz qw`, the camera's pose in the map."""
    lines = ["# time_s tx ty tz qx qy qz qw of map_from_camera"]
    for time_s, pose in zip(times_s, camera_from_map, strict=True):
        lines.append(f"{time_s:.6f} {format_tum_pose(pose.inverse())}")
    path.write_text("\n".join(lines) + "\n")


def write_cameras(path: Path, camera: Camera) -> None:
    """Write COLMAP's cameras.txt with one camera."""
    model, params = colmap_from_camera(camera)
    line = f"1 {model} {camera.width} {camera.height} " + " ".join(f"{number:.9g}" for number in params)
    path.write_text(f"# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n{line}\n")
