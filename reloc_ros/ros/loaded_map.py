"""The map in use: loaded as a whole, replaced as a whole."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import Bundle
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.camera_files import read_camera_file
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.localizer import Localizer, LocalizerConfig
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.tf.config import TfConfig
from reloc_ros.scene_size import extent, single_precision_step
from reloc_ros.stream.correction import CorrectionConfig
from reloc_ros.stream.status import StatusConfig
from reloc_ros.stream.tracker import SecondLooks, Tracker, TrackerConfig

FINEST_STEP = 1e-3
"""Metres that must not be lost in single precision: those of coordinates up to 16 km."""


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedMap:
    """A localizer and what the node needs to know about its map."""

    localizer: Localizer
    tracker: Tracker | SecondLooks
    """Of the stream of images, which are localized by it."""
    frame: str
    """Frame of the poses."""
    fixed_camera: Camera | None
    """The camera of all images; None where camera_info tells it."""
    size: float
    """Median distance of the landmarks from their middle, in the map's unit."""
    second: SecondLooks
    """For images in which the network was lost."""
    of_cameras: Mapping[str, LoadedMap] = dataclasses.field(default_factory=dict)
    """As each of several cameras has it, by its name: a bundle that two of them share is loaded once."""

    @staticmethod
    def load(given: Parameters, bundle: str) -> LoadedMap:
        """Load a bundle and start its backend.

        Raises:
            RelocError: when the bundle is wrong, the backend cannot start, or parameters contradict each other.
        """
        if not bundle:
            raise RelocError("parameter bundle is not set; give the folder that reloc export wrote")
        localizers = {bundle: _localizer(given, bundle)}
        if not given.rig:
            return _for_camera(given, localizers[bundle])
        of_cameras = {}
        for camera in given.rig:
            path = camera.bundle or bundle
            if path not in localizers:
                localizers[path] = _localizer(given, path)
            of_cameras[camera.name] = _for_camera(given.of(camera), localizers[path])
        frames = {each.frame for each in of_cameras.values()}
        if len(frames) > 1:
            raise RelocError(f"the bundles of the cameras must share their frame, got {', '.join(frames)}")
        alone = dataclasses.replace(given, camera_source="topic", camera_info_file="", bundle_camera="")
        return dataclasses.replace(_for_camera(alone, localizers[bundle]), of_cameras=of_cameras)

    def of(self, camera: str) -> LoadedMap:
        """As a camera has it."""
        return self.of_cameras.get(camera, self)

    @property
    def has_second(self) -> bool:
        """Whether images in which the network was lost can be looked at again."""
        return any(each.second.is_of_use for each in self.of_cameras.values() or (self,))

    @property
    def again(self) -> LoadedMap:
        """The same for images in which the network was lost."""
        of_cameras = {name: each.again for name, each in self.of_cameras.items()}
        return dataclasses.replace(self, tracker=self.second, of_cameras=of_cameras)

    @property
    def is_metric(self) -> bool:
        return self.localizer.bundle.scale == "metric"

    @property
    def ruler(self) -> float:
        """What stands for a metre, in the map's unit: a map of unknown scale has its own size for that."""
        return 1.0 if self.is_metric else self.size

    @property
    def precision_problem(self) -> str:
        """What single precision makes of coordinates as large as these, as a sentence; empty where it holds them."""
        positions = self.localizer.bundle.landmarks.positions_map
        step, unit = single_precision_step(positions), " m" if self.is_metric else ""
        if step <= FINEST_STEP * self.ruler:
            return ""
        return (
            f"landmarks are up to {np.abs(positions).max():,.0f}{unit} from the origin of {self.frame}, where single "
            f"precision has steps of {step:.2g}{unit}: map_cloud is rounded to them, and RViz draws by them; poses, "
            "transforms, keypoints and markers are exact. Give the map an origin near the place, and tie that to the "
            "world by REP-105's earth frame"
        )

    @property
    def drawing_origin(self) -> NDArray[np.float64]:
        """(3,) in the map, about which positions can be drawn in single precision: the map's own where that will do."""
        positions = self.localizer.bundle.landmarks.positions_map
        return np.rint(np.median(positions, axis=0)) if self.precision_problem else np.zeros(3)

    def tf_config(self, given: Parameters) -> TfConfig:
        """What to broadcast of poses in this map.

        Raises:
            RelocError: the parameters contradict each other, or cannot be in this map.
        """
        for name in ("publish_initial_pose", "take_initial_pose"):
            if getattr(given, name) and not self.is_metric:
                raise RelocError(f"{name} needs a map in metres, but the scale of this one is unknown")
        if given.rig:
            maps = {"the node": self, **self.of_cameras}
            _refuse_rig(given, [name for name, each in maps.items() if not each.is_metric])
        if given.planar and given.pose_frame not in ("", given.base_frame):
            raise RelocError(
                f"planar puts base_frame ({given.base_frame}) on the ground and publishes that pose: leave pose_frame "
                f"empty, got {given.pose_frame}"
            )
        return given.config(
            TfConfig,
            mode=given.tf_mode,
            map_frame=self.frame,
            inverse=given.tf_inverse,
            correction=given.config(CorrectionConfig),
            scale_known=self.is_metric,
            listen=bool(given.posed_frame)
            or bool(given.rig)
            or given.publish_initial_pose
            or given.take_initial_pose,
        )

    def status_config(self, given: Parameters) -> StatusConfig:
        """Plausible motion in the map's unit."""
        speed = given.max_speed * self.ruler
        return given.config(StatusConfig, max_speed=speed, position_slack=0.1 * self.size)

    def __str__(self) -> str:
        bundle = self.localizer.bundle
        unit = "" if self.is_metric else ", scale unknown: its poses are not in metres"
        return f"map {bundle.path}: {len(bundle.landmarks)} landmarks, backend {self.localizer.backend.name}{unit}"


def _localizer(given: Parameters, bundle: str) -> Localizer:
    config = given.config(LocalizerConfig, min_evidence=given.min_evidence or None)
    path = Path(bundle).expanduser()
    return Localizer.from_bundle(path, given.backend, config, given.threads, given.precision)


def _for_camera(given: Parameters, localizer: Localizer) -> LoadedMap:
    """Args: given: as they hold for this camera."""
    both = copy.copy(localizer)  # the engine and the reference views are shared
    both.mask = ImageMask.load(given.image_mask) if given.image_mask else None
    localizer = copy.copy(both)
    localizer.second_way = None  # which has a thread of its own
    tracker = Tracker(localizer, given.config(TrackerConfig))
    return LoadedMap(
        localizer,
        tracker,
        given.map_frame or localizer.bundle.frame.lstrip("/"),
        _fixed_camera(given, localizer.bundle),
        extent(localizer.bundle.landmarks.positions_map),
        SecondLooks(both, tracker),
    )


def _refuse_rig(given: Parameters, without_metres: Sequence[str]) -> None:
    """Args: without_metres: those whose maps have none."""
    if without_metres:
        raise RelocError(
            "cameras are put together by TF, in metres, but the scale of the map is unknown that "
            f"{', '.join(without_metres)} is given; run reloc align"
        )
    if given.tf_mode == "map_camera":
        raise RelocError("cameras go with tf_mode map_base, map_odom or none: map_camera places a single one")
    if given.camera_frame:
        raise RelocError("camera_frame is that of a single camera: with cameras, set NAME.camera_frame")


def _fixed_camera(given: Parameters, bundle: Bundle) -> Camera | None:
    if (given.camera_source == "file") != bool(given.camera_info_file):
        raise RelocError("camera_info_file goes with camera_source file: set both or neither")
    if given.bundle_camera and given.camera_source != "bundle":
        raise RelocError("bundle_camera goes with camera_source bundle: set both or neither")
    if given.camera_source == "bundle":
        return bundle.own_camera(given.bundle_camera)
    if not given.camera_info_file:
        return None
    file = Path(given.camera_info_file).expanduser()
    return read_camera_file(file, rectified=given.image_rectified == "true")
