"""When to tell another localizer, such as AMCL, where the robot is: where it is surely far off, until it agrees."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from reloc_ros.geometry import SE3, Array, rotation_error_deg


@dataclasses.dataclass(frozen=True)
class InitialPoseConfig:
    """What is far, and what is sure."""

    distance: float = 1.0
    """Metres from the other's estimate that are far."""
    angle_rad: float = 0.8
    """Turn from it that is far."""
    confident_after: int = 10
    """Poses in a row that count, before one is given away."""
    repeat_s: float = 2.0
    """It is told again after so long: it may not have been there, or not active, or have refused."""
    max_sigma_share: float = 0.25
    """Largest standard deviation of the position, as a share of `distance`."""


class InitialPose:
    """Feed it both localizers' poses of the robot's base."""

    def __init__(self, config: InitialPoseConfig | None = None) -> None:
        self.config = config or InitialPoseConfig()
        self._other: SE3 | None = None
        self._in_a_row = 0
        self._told_s = -math.inf

    def other_is_new(self) -> None:
        """Another one has come up in its place, and knows nothing."""
        self._other = None

    def other_says(self, map_from_base: SE3) -> None:
        """The other localizer's newest estimate."""
        self._other = map_from_base

    def missed(self) -> None:
        """An image gave no pose that counts."""
        self._in_a_row = 0

    def is_due(self, map_from_base: SE3, covariance: Array, now_s: float) -> bool:
        """Take our pose of one image; true when the other is to be told it, now and then until the two agree.

        Args:
            covariance: (6, 6), position first.
        """
        self._in_a_row += 1
        if not self._is_far(map_from_base):
            self._told_s = -math.inf
            return False
        sigma = float(np.sqrt(np.linalg.eigvalsh(covariance[:3, :3])[-1]))
        sure = self._in_a_row >= self.config.confident_after
        sure &= sigma <= self.config.max_sigma_share * self.config.distance
        if not sure or now_s - self._told_s < self.config.repeat_s:
            return False
        self._told_s = now_s
        return True

    def _is_far(self, map_from_base: SE3) -> bool:
        if self._other is None:  # it waits for a first pose, as AMCL does
            return True
        moved = np.linalg.norm(map_from_base.translation - self._other.translation)
        turned_rad = np.radians(rotation_error_deg(map_from_base, self._other))
        return bool(moved > self.config.distance or turned_rad > self.config.angle_rad)
