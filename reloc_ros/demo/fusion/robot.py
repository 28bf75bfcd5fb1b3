"""A robot that drives through the reading corner, with a camera on a mast and wheels that slip."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from reloc_ros.demo.film.trajectories import Array
from reloc_ros.geometry import SE3

ODOMETRY_HZ = 50.0
LAP_S = 26.0
AWAY_S = (40.0, 52.0)
"""It turns once around, past the garden, where there is no map."""
BASE_FROM_CAMERA = SE3(
    # Forward is the camera's z, up its -y; tilted 6 degrees down.
    SE3.from_rotation_vector([0.0, np.radians(6.0), 0.0], np.zeros(3)).rotation
    @ np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    np.array([0.10, 0.03, 1.25]),
)


@dataclasses.dataclass(frozen=True)
class Slip:
    """Standard deviations of the odometry's random walk, along and across the robot's x, and of its turning."""

    position: float = 0.01
    """Metres after a second; it grows with the root of time."""
    yaw: float = 0.03
    """Radians after a second."""


@dataclasses.dataclass(frozen=True, eq=False)
class Drive:
    """Where the robot truly is, and what its wheels say, at ODOMETRY_HZ."""

    times_s: Array
    """(N,)"""
    truth: Array
    """(N, 3) x, y, yaw of the base in the map; yaw is continuous."""
    steps: Array
    """(N, 3) measured motion since the time before, in the base's frame of then; the first is zero."""
    odometry: Array
    """(N, 3) the steps put together; it starts at the truth, as nobody could know it."""

    def __len__(self) -> int:
        return len(self.times_s)


def drive(seconds: float, slip: Slip, seed: int) -> Drive:
    """A loop in the middle of the room, looking at its corner, and once around on the spot as it goes."""
    times_s = np.arange(0.0, seconds, 1 / ODOMETRY_HZ)
    truth = _truth(times_s)
    exact = np.array([relative(before, after) for before, after in itertools.pairwise(truth)])
    sigmas = np.array([slip.position, slip.position, slip.yaw]) / np.sqrt(ODOMETRY_HZ)
    noise = np.random.default_rng(seed).normal(size=exact.shape) * sigmas
    steps = np.vstack([np.zeros(3), exact + noise])
    odometry = [truth[0]]
    for step in steps[1:]:
        odometry.append(moved(odometry[-1], step))
    return Drive(times_s, truth, steps, np.array(odometry))


def _truth(times_s: Array) -> Array:
    phase = 2 * np.pi * times_s / LAP_S
    x, y = 2.15 + 0.55 * np.cos(phase), 0.75 + 0.35 * np.sin(2 * phase)
    target_x, target_y = 1.0 + 0.5 * np.sin(0.7 * phase), 2.5 + 0.1 * np.cos(phase)
    along = np.clip((times_s - AWAY_S[0]) / (AWAY_S[1] - AWAY_S[0]), 0, 1)
    around = 2 * np.pi * along**2 * (3 - 2 * along)
    return np.column_stack([x, y, np.unwrap(np.arctan2(target_y - y, target_x - x)) + around])


def moved(pose: Array, step: Array) -> Array:
    """(3,) x, y, yaw after a step in the pose's own frame."""
    sine, cosine = np.sin(pose[2]), np.cos(pose[2])
    return pose + np.array([cosine * step[0] - sine * step[1], sine * step[0] + cosine * step[1], step[2]])


def relative(before: Array, after: Array) -> Array:
    """(3,) the step that leads from one pose to the other."""
    sine, cosine = np.sin(before[2]), np.cos(before[2])
    dx, dy = after[:2] - before[:2]
    return np.array([cosine * dx + sine * dy, cosine * dy - sine * dx, wrapped(after[2] - before[2])])


def wrapped(angle: float) -> float:
    """In -pi to pi."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def se3_from_planar(pose: Array) -> SE3:
    return SE3.from_rotation_vector([0.0, 0.0, pose[2]], [pose[0], pose[1], 0.0])


def planar_from_se3(map_from_base: SE3) -> Array:
    """(3,) x, y, yaw: what a robot on the floor has of a pose."""
    forward = map_from_base.rotation[:, 0]
    return np.array([*map_from_base.translation[:2], np.arctan2(forward[1], forward[0])])
