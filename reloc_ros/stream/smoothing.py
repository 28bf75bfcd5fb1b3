"""A steadier pose for those who want one: a constant-velocity Kalman filter that refuses poses which do not fit.

The state is a pose and its velocity, all about the map's axes: position, rotation, linear and angular velocity, with
the error of the rotation as a small rotation vector on the left (Sola, "Quaternion kinematics for the error-state
Kalman filter", 2017, section 7, with a global error).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from reloc_ros.geometry import SE3, Array
from reloc_ros.pose.covariance import step_between, stepped

GATE = 22.46
"""99.9 % of the squared Mahalanobis distances of six true normals are below."""


@dataclasses.dataclass(frozen=True)
class SmoothingConfig:
    """How much the camera's velocity may change."""

    acceleration: float = 2.0
    """Map units per second squared, one standard deviation over a second."""
    turn_acceleration: float = 3.0
    """Radians per second squared, likewise."""
    max_refused: int = 3
    """Poses in a row that do not fit, after which the filter starts over: then it is the filter that is wrong."""
    max_gap_s: float = 1.0
    """Longest prediction; after it the filter starts over."""
    start_speed: float = 1.0
    """Standard deviation of the unknown velocity at the start, map units per second."""
    start_turn_rate: float = 1.0
    """The same in radians per second."""


@dataclasses.dataclass(frozen=True, eq=False)
class Smoothed:
    """The filter's state at one image."""

    map_from_frame: SE3
    covariance: Array
    """(12, 12): position, rotation about the map's axes, linear velocity, angular velocity in the map."""
    velocity: Array
    """(3,) in the map, units per second."""
    turn_rate: Array
    """(3,) about the map's axes, radians per second."""
    used: bool
    """False: this image's pose did not fit, and only the prediction stands."""


class PoseSmoother:
    """Feed it the poses that count, in order."""

    def __init__(self, config: SmoothingConfig | None = None) -> None:
        self.config = config or SmoothingConfig()
        self._state: Smoothed | None = None
        self._stamp_s = 0.0
        self._refused = 0

    def forget(self) -> None:
        """Start over with the next pose: the camera is somewhere else."""
        self._state = None

    def update(self, map_from_frame: SE3, covariance: Array, stamp_s: float) -> Smoothed:
        """Take one pose and say the smoothed one.

        Args:
            covariance: (6, 6) of the pose, as in geometry_msgs/PoseWithCovariance.
            stamp_s: of the image.
        """
        elapsed_s = stamp_s - self._stamp_s
        if self._state is None or not 0 < elapsed_s <= self.config.max_gap_s:
            return self._restart(map_from_frame, covariance, stamp_s)
        predicted = self._predict(self._state, elapsed_s)
        innovation = step_between(predicted.map_from_frame, map_from_frame)
        spread = predicted.covariance[:6, :6] + covariance
        self._stamp_s = stamp_s
        if innovation @ np.linalg.solve(spread, innovation) > GATE:
            self._refused += 1
            if self._refused >= self.config.max_refused:
                return self._restart(map_from_frame, covariance, stamp_s)
            self._state = dataclasses.replace(predicted, used=False)
        else:
            self._refused = 0
            self._state = _corrected(predicted, innovation, spread, covariance)
        return self._state

    def _restart(self, map_from_frame: SE3, covariance: Array, stamp_s: float) -> Smoothed:
        speeds = np.repeat([self.config.start_speed, self.config.start_turn_rate], 3) ** 2
        whole = np.zeros((12, 12))
        whole[:6, :6], whole[6:, 6:] = covariance, np.diag(speeds)
        self._stamp_s, self._refused = stamp_s, 0
        self._state = Smoothed(map_from_frame, whole, np.zeros(3), np.zeros(3), True)
        return self._state

    def _predict(self, state: Smoothed, elapsed_s: float) -> Smoothed:
        step = elapsed_s * np.concatenate([state.velocity, state.turn_rate])
        transition = np.eye(12)
        transition[3:6, 3:6] = SE3.from_rotation_vector(step[3:], np.zeros(3)).rotation
        transition[:6, 6:] = elapsed_s * np.eye(6)
        # White acceleration, integrated (Bar-Shalom, "Estimation with Applications to Tracking and Navigation", 6.2.2).
        density = np.repeat([self.config.acceleration, self.config.turn_acceleration], 3) ** 2
        noise = np.kron(
            [[elapsed_s**3 / 3, elapsed_s**2 / 2], [elapsed_s**2 / 2, elapsed_s]], np.diag(density)
        )
        covariance = transition @ state.covariance @ transition.T + noise
        return Smoothed(
            stepped(state.map_from_frame, step), covariance, state.velocity, state.turn_rate, True
        )


def _corrected(predicted: Smoothed, innovation: Array, spread: Array, noise: Array) -> Smoothed:
    gain = np.linalg.solve(spread, predicted.covariance[:6]).T
    step = gain @ innovation
    pose = stepped(predicted.map_from_frame, step[:6])
    # Joseph's form stays symmetric and positive.
    keep = np.eye(12)
    keep[:, :6] -= gain
    covariance = keep @ predicted.covariance @ keep.T + gain @ noise @ gain.T
    return Smoothed(pose, covariance, predicted.velocity + step[6:9], predicted.turn_rate + step[9:], True)
