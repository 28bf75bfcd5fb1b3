"""What the user says of the place and of how the camera is mounted, and whether it suffices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.tum import parse_tum_pose
from reloc_ros.offline.align.gravity import PICTURE_TOPS
from reloc_ros.offline.align.timed_readings import MAX_GAP_S

AUTO = "auto"
UPS = "camera, plane, board, board-wall, imu:TOPIC or none"
IMU_ROTATIONS = {
    "identity": np.eye(3),
    "body": np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]),
}
"""imu_from_camera for an IMU with the axes of the optical frame, or of a body that looks as the camera does."""


@dataclass(frozen=True)
class AlignSources:
    """What is known about the place; see `reloc align --help`."""

    trajectory: Path | None = None
    """A file of TUM's or EuRoC's format, by images or by time, see `read_trajectory`."""
    bag: Path | None = None
    odometry: str | None = None
    """A topic of poses in the bag."""
    body_from_camera: SE3 | None = None
    """The camera's mount on what the odometry, or the trajectory, tells the pose of."""
    max_gap_s: float = MAX_GAP_S
    """Poses farther apart in time are not interpolated between."""
    time_offset: str | None = None
    """Seconds by which the clock of these poses is ahead of the images', or AUTO to find it; see `clock_offset_s`."""
    distances: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    board: str | None = None
    up: tuple[str, ...] = ()
    imu_from_camera: str | None = None
    picture_top: str | None = None
    """The side of all pictures that is up; else what each notes of itself, or its top."""

    def check(self) -> None:
        """Refuse what says too little, or contradicts itself."""
        metres = any((self.trajectory, self.odometry, self.board, *self.distances, *self.measures))
        if not self.up and not metres:
            raise RelocError(
                "reloc align needs to be told something: --distance, --measure, --board, --trajectory or --odometry "
                f"for metres, and --up ({UPS}) for gravity"
            )
        if self.trajectory and self.odometry:
            raise RelocError(
                "--trajectory and --odometry both say where the images were taken; give one of them"
            )
        if not self.up and not (self.trajectory or self.odometry):
            raise RelocError(f"this gives metres but not what is up; add --up: {UPS}")
        for word in self.up:
            if word not in ("camera", "plane", "board", "board-wall", "none") and not word.startswith("imu:"):
                raise RelocError(f"--up is {UPS}, not '{word}'")
        if "none" in self.up and (len(self.up) > 1 or not metres):
            raise RelocError(
                "--up none leaves the axes as they are: it stands alone, beside a source of metres"
            )
        if any(word.startswith("board") for word in self.up) and self.board is None:
            raise RelocError("--up board needs to know the board; describe it with --board")
        if self.bag is None and (self.odometry or any(word.startswith("imu:") for word in self.up)):
            raise RelocError("a topic is read from a recording; name it with --bag")
        if self.picture_top is not None and self.picture_top not in PICTURE_TOPS:
            raise RelocError(f"--picture-top is {', '.join(PICTURE_TOPS)}, not '{self.picture_top}'")
        if not 0 < self.max_gap_s < np.inf:
            raise RelocError(f"--max-gap is in seconds and above zero, not {self.max_gap_s:g}")
        if self.time_offset is not None and not (self.trajectory or self.odometry):
            raise RelocError("--time-offset is about a trajectory or odometry; there is none")
        self.clock_offset_s(same_clock=True)

    def clock_offset_s(self, same_clock: bool) -> float | None:
        """What is told of the clocks, or 0 where both count since the same; None where it is to be found."""
        if self.time_offset is None:
            return 0.0 if same_clock else None
        if self.time_offset == AUTO:
            return None
        try:
            offset_s = float(self.time_offset)
        except ValueError:
            offset_s = np.nan
        if not np.isfinite(offset_s):
            raise RelocError(f"--time-offset is a number of seconds or {AUTO}, not '{self.time_offset}'")
        return offset_s


def parse_imu_rotation(text: str | None) -> NDArray[np.float64]:
    """(3, 3) imu_from_camera: a name of `IMU_ROTATIONS`, or a quaternion x,y,z,w."""
    if text is None:
        raise RelocError(
            "an IMU needs --imu-from-camera: identity (its axes are the camera's: x right, y down, z ahead), body "
            "(x ahead, y left, z up), or a quaternion x,y,z,w"
        )
    if text in IMU_ROTATIONS:
        return IMU_ROTATIONS[text]
    try:
        return parse_tum_pose("0 0 0 " + text.replace(",", " ")).rotation
    except ValueError as error:
        raise RelocError(
            f"--imu-from-camera is identity, body or a quaternion x,y,z,w of finite numbers, not '{text}'"
        ) from error


def parse_mount(text: str) -> SE3:
    """body_from_camera by `x y z qx qy qz qw`."""
    try:
        return parse_tum_pose(text.replace(",", " "))
    except ValueError as error:
        raise RelocError(
            f"--base-from-camera is 'x y z qx qy qz qw', seven finite numbers, not '{text}'"
        ) from error
