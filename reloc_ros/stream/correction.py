"""Where the odometry is in the map, as a robot can drive by it: what corrects it is gated, limited and out of date.

A correction is map_from_odom by one image. What is shown to others may follow it slowly, and ends when it is old.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, Array
from reloc_ros.pose.covariance import step_between, stepped

ARRIVALS = 5
"""Corrections in a row that do not fit, but each other: then it is the one before that is wrong."""


@dataclasses.dataclass(frozen=True)
class CorrectionConfig:
    """Each is off at 0: every correction counts, at once, and for ever."""

    correction_gate: float = 0.0
    """Mahalanobis distance of a pose from the one expected, beyond which it corrects nothing."""
    odometry_drift: float = 0.05
    """Standard deviation by which odometry drifts in a second, metres and radians; it grows with the root of time."""
    correction_max_position_sigma: float = 0.0
    """Largest standard deviation of the position that corrects, metres."""
    correction_max_rotation_sigma: float = 0.0
    """The same of the rotation, radians."""
    correction_max_speed: float = 0.0
    """Metres per second at which the transform follows."""
    correction_max_turn_rate: float = 0.0
    """Radians per second at which it follows."""
    correction_max_age_s: float = 0.0
    """Seconds after the last correction, until there is no transform."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not 0 <= getattr(self, field.name) < np.inf:
                raise RelocError(f"{field.name} must be at least 0, got {getattr(self, field.name)}")


@dataclasses.dataclass(frozen=True, eq=False)
class Correction:
    """One image's word on the odometry."""

    map_from_odom: SE3
    odom_from_body: SE3
    """Of the frame whose pose was measured, at the image's time."""
    covariance: Array
    """(6, 6) of map_from_body, as in geometry_msgs/PoseWithCovariance."""
    stamp_s: float


@dataclasses.dataclass(frozen=True)
class Refused:
    """Why a correction was not taken."""

    reason: str
    """As a word."""
    detail: str
    """As a sentence."""


class CorrectedOdometry:
    """Feed it corrections in order; times are arguments, all of one clock."""

    def __init__(self, config: CorrectionConfig | None = None) -> None:
        self.config = config or CorrectionConfig()
        self._taken: Correction | None = None
        self._taken_s = self._shown_s = 0.0
        self._shown: SE3 | None = None
        self._misfits: list[Correction] = []

    def forget(self) -> None:
        """Start over with the next correction."""
        self._taken = self._shown = None
        self._misfits = []

    def take(self, correction: Correction, now_s: float) -> Refused | None:
        """Go by this correction from now on; or the reason not to."""
        if self.age_problem(now_s):
            self.forget()
        if (refused := self._uncertain(correction)) is not None:
            return refused
        if self._taken is not None and (distance := self._distance(self._taken, correction)) > self._gate:
            fits = [earlier for earlier in self._misfits if self._distance(earlier, correction) <= self._gate]
            self._misfits = [*fits, correction]
            if len(self._misfits) < ARRIVALS:
                detail = (
                    f"this pose is {distance:.1f} standard deviations from where the last one and the odometry put the "
                    f"robot, and {self.config.correction_gate:g} are allowed (correction_gate)"
                )
                return Refused("gated", detail)
        self._misfits, self._taken, self._taken_s = [], correction, now_s
        return None

    def map_from_odom(self, now_s: float) -> SE3 | None:
        """What to tell others now; None while there is nothing, or nothing any more."""
        if self._taken is None or self.age_problem(now_s):
            return None
        target = self._taken.map_from_odom
        if self._shown is None:
            self._shown = target
        else:
            self._shown = self._followed(self._shown, target, max(now_s - self._shown_s, 0.0))
        self._shown_s = now_s
        return self._shown

    def age_problem(self, now_s: float) -> str:
        """Why there is no transform any more, as a sentence; empty while there may be one."""
        limit_s, age_s = self.config.correction_max_age_s, now_s - self._taken_s
        if self._taken is None or not limit_s or age_s <= limit_s:
            return ""
        return f"nothing has corrected the odometry for {limit_s:g} s (correction_max_age_s): map_odom has stopped"

    @property
    def _gate(self) -> float:
        return self.config.correction_gate or np.inf

    def _uncertain(self, correction: Correction) -> Refused | None:
        config = self.config
        for what, unit, name, part, limit in (
            ("position", "m", "position", slice(0, 3), config.correction_max_position_sigma),
            ("rotation", "rad", "rotation", slice(3, 6), config.correction_max_rotation_sigma),
        ):
            sigma = float(np.sqrt(np.linalg.eigvalsh(correction.covariance[part, part])[-1]))
            if limit and sigma > limit:
                detail = (
                    f"the pose's {what} is uncertain by {sigma:.3f} {unit}, and {limit:g} is allowed of what corrects "
                    f"the odometry (correction_max_{name}_sigma)"
                )
                return Refused("uncertain", detail)
        return None

    def _distance(self, before: Correction, after: Correction) -> float:
        """Mahalanobis distance of the later body's pose from where the earlier correction puts it.

        The two errors are independent, and odometry's grows between them as a random walk (Bar-Shalom, "Estimation with
        Applications to Tracking and Navigation", 2001, 5.4 on the innovation and 6.2 on its noise).
        """
        expected = before.map_from_odom @ after.odom_from_body
        measured = after.map_from_odom @ after.odom_from_body
        innovation = step_between(expected, measured)
        drift = self.config.odometry_drift**2 * max(after.stamp_s - before.stamp_s, 0.0)
        spread = before.covariance + after.covariance + drift * np.eye(6)
        return float(np.sqrt(innovation @ np.linalg.solve(spread, innovation)))

    def _followed(self, shown: SE3, target: SE3, elapsed_s: float) -> SE3:
        """`shown` moved and turned towards the target as far as the limits allow in that time, both by one share."""
        step, share = step_between(shown, target), 1.0
        for size, limit in (
            (np.linalg.norm(step[:3]), self.config.correction_max_speed),
            (np.linalg.norm(step[3:]), self.config.correction_max_turn_rate),
        ):
            if limit and size > limit * elapsed_s:
                share = min(share, float(limit * elapsed_s / size))
        if share == 1.0:
            return target
        return stepped(shown, share * step)
