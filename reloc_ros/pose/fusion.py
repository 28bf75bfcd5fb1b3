"""One pose of a body by several measurements of it at one time, such as those of a robot's cameras.

Covariances are those of ROS poses, as in `covariance.py`. What differs is taken as a shift and a small rotation, both
in the map; for poses as near each other as those that agree, the derivative of that is the identity.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from reloc_ros.geometry import SE3, Array
from reloc_ros.pose.covariance import step_between, stepped

_STEPS = 10
_CONVERGED = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Where a body is, by one who saw it."""

    map_from_body: SE3
    covariance: Array
    """(6, 6), as in geometry_msgs/PoseWithCovariance."""


def distance(one: Measured, other: Measured) -> float:
    """How many standard deviations two measurements are apart (Mahalanobis), by both covariances."""
    apart = step_between(one.map_from_body, other.map_from_body)
    return float(np.sqrt(apart @ np.linalg.solve(one.covariance + other.covariance, apart)))


def agreeing(measured: Sequence[Measured], gate: float) -> tuple[int, ...]:
    """Which ones agree, each with each, where they are more than half; none where no such group is.

    Args:
        gate: largest distance between two that agree.
    """
    count = len(measured)
    agree = {
        pair: distance(measured[pair[0]], measured[pair[1]]) <= gate
        for pair in itertools.combinations(range(count), 2)
    }
    for size in range(count, count // 2, -1):
        for group in itertools.combinations(range(count), size):
            if all(agree[pair] for pair in itertools.combinations(group, 2)):
                return group
    return ()


def fused(measured: Sequence[Measured]) -> Measured:
    """The pose to which they are nearest, each weighted by its information, and what all of them together know.

    Gauss-Newton on the rotation and the position (Barfoot, "State Estimation for Robotics", 2017, 8.2.3), with errors
    that are independent of each other.
    """
    if len(measured) == 1:
        return measured[0]
    weights = [np.linalg.inv(each.covariance) for each in measured]
    covariance = np.linalg.inv(sum(weights))
    pose = measured[0].map_from_body
    for _ in range(_STEPS):
        pulls = [
            w @ step_between(pose, each.map_from_body) for w, each in zip(weights, measured, strict=True)
        ]
        step = covariance @ sum(pulls)
        pose = stepped(pose, step)
        if step @ step < _CONVERGED**2:
            break
    return Measured(pose, (covariance + covariance.T) / 2)
