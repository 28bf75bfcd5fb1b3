"""What the node is to broadcast on /tf, and what came of it."""

from __future__ import annotations

import dataclasses
from typing import Literal

from reloc_ros.errors import RelocError
from reloc_ros.stream.correction import CorrectionConfig

TfMode = Literal["none", "map_camera", "map_base", "map_odom"]


@dataclasses.dataclass(frozen=True)
class TfConfig:
    """What to broadcast, between which frames."""

    mode: TfMode = "map_camera"
    map_frame: str = "map"
    base_frame: str = "base_link"
    """Used by map_base."""
    odom_frame: str = "odom"
    """Used by map_odom, and by `motion` in every mode."""
    planar: bool = False
    """Keep to x, y and yaw: map_base and map_odom are upright, as `on_ground` has it."""
    planar_z: float = 0.0
    """Height of the ground in the map."""
    inverse: bool = False
    """Broadcast the map as the child, for trees where the other frame has a parent already."""
    transform_tolerance_s: float = 0.1
    """How far ahead of now the republished map_odom is dated; a correction takes effect that much later."""
    republish_rate_hz: float = 20.0
    """Of map_odom."""
    lookup_timeout_s: float = 0.5
    """Longest wait for transforms that come later than the image."""
    correction: CorrectionConfig = dataclasses.field(default_factory=CorrectionConfig)
    """What may correct map_odom, how fast, and for how long."""
    scale_known: bool = True
    """The map is in metres."""
    listen: bool = False
    """Listen to the tree in mode none too, for `lookup` and `motion`."""

    def __post_init__(self) -> None:
        if self.mode not in ("none", "map_camera", "map_base", "map_odom"):
            raise RelocError(
                f"tf_mode must be one of none, map_camera, map_base, map_odom, got {self.mode!r}"
            )
        if self.mode in ("map_base", "map_odom") and not self.scale_known:
            raise RelocError(
                f"tf_mode {self.mode} needs a map in metres, but the scale of this one is unknown; "
                "run reloc align, or use tf_mode map_camera or none"
            )
        if self.planar and self.mode == "map_camera":
            raise RelocError(
                "planar puts the robot on the ground: it goes with tf_mode map_base, map_odom or none, not map_camera"
            )
        if self.planar and not self.scale_known:
            raise RelocError(
                "planar needs a map in metres, but the scale of this one is unknown; run reloc align"
            )
        child = self.robot_frame
        if child == "" or not self.map_frame:
            raise RelocError(f"tf_mode {self.mode} needs the names of its frames; one of them is empty")
        if child == self.map_frame:
            raise RelocError(f"tf_mode {self.mode} needs two frames, but both are named {child}")
        ranges = {
            "transform_tolerance_s": (0, 10),
            "lookup_timeout_s": (0, 10),
            "republish_rate_hz": (0.001, 1000),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise RelocError(f"{name} must be from {low} to {high}, got {getattr(self, name)}")

    @property
    def robot_frame(self) -> str | None:
        """The robot's frame that is placed in the map, level by REP-105; None where it is the camera's or none."""
        return {"map_base": self.base_frame, "map_odom": self.odom_frame}.get(self.mode)


@dataclasses.dataclass(frozen=True)
class TfOutcome:
    """What came of one pose, or of one lookup that failed."""

    published: bool
    reason: str
    """Why not, in a word of RelocStatus.msg; empty when published, and in mode none."""
    detail: str
    """The same as a sentence."""


PUBLISHED = TfOutcome(True, "", "")
NOTHING_TO_DO = TfOutcome(False, "", "")
