"""The map in use: loaded as a whole, replaced as a whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.camera_files import read_camera_file
from reloc_ros.localizer import Localizer, LocalizerConfig
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.scene_size import extent
from reloc_ros.stream.status import StatusConfig


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedMap:
    """A localizer and what the node needs to know about its map."""

    localizer: Localizer
    frame: str
    """Frame of the poses."""
    fixed_camera: Camera | None
    """The camera of all images; None where camera_info tells it."""
    size: float
    """Median distance of the landmarks from their middle, in the map's unit."""

    @staticmethod
    def load(given: Parameters, bundle: str) -> LoadedMap:
        """Load a bundle and start its backend.

        Raises:
            RelocError: when the bundle is wrong, the backend cannot start, or parameters contradict each other.
        """
        if not bundle:
            raise RelocError("parameter bundle is not set; give the folder that reloc export wrote")
        config = given.config(LocalizerConfig)
        localizer = Localizer.from_bundle(
            Path(bundle).expanduser(), given.backend, config, given.threads, given.precision
        )
        positions = localizer.bundle.landmarks.positions_map
        return LoadedMap(
            localizer,
            given.map_frame or localizer.bundle.frame.lstrip("/"),
            _fixed_camera(given, localizer.bundle.camera),
            extent(positions),
        )

    @property
    def is_metric(self) -> bool:
        return self.localizer.bundle.scale == "metric"

    @property
    def ruler(self) -> float:
        """What stands for a metre, in the map's unit: a map of unknown scale has its own size for that."""
        return 1.0 if self.is_metric else self.size

    def status_config(self, given: Parameters) -> StatusConfig:
        """Plausible motion in the map's unit."""
        speed = given.max_speed * self.ruler
        return given.config(StatusConfig, max_speed=speed, position_slack=0.1 * self.size)

    def __str__(self) -> str:
        bundle = self.localizer.bundle
        unit = "" if self.is_metric else ", scale unknown: its poses are not in metres"
        return f"map {bundle.path}: {len(bundle.landmarks)} landmarks, backend {self.localizer.backend.name}{unit}"


def _fixed_camera(given: Parameters, bundle_camera: Camera) -> Camera | None:
    if (given.camera_source == "file") != bool(given.camera_info_file):
        raise RelocError("camera_info_file goes with camera_source file: set both or neither")
    if given.camera_source == "bundle":
        return bundle_camera
    return read_camera_file(Path(given.camera_info_file).expanduser()) if given.camera_info_file else None
