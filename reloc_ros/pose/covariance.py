"""The covariance of a pose: moved with it from frame to frame, and kept from claiming too much.

A covariance here is that of a ROS pose (REP-103, geometry_msgs/PoseWithCovariance): (6, 6), x, y, z, then the
rotation about the fixed axes of the map. The true pose is `map_from_x` turned about x's own origin by a small
rotation vector in the map, and shifted.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, Array, pose_adjoint


@dataclasses.dataclass(frozen=True)
class CovarianceLimits:
    """What a user knows better than the estimate: by how much it is off, and what it cannot know of."""

    scale: float = 1.0
    """Factor on the covariance; 4 doubles every standard deviation."""
    position_floor: float = 0.0
    """Smallest standard deviation of each axis, in the map's unit."""
    rotation_floor: float = 0.0
    """Smallest standard deviation about each axis, radians."""

    def __post_init__(self) -> None:
        if not 0 < self.scale < np.inf:
            raise RelocError(f"covariance scale must be above 0, got {self.scale}")
        for name in ("position_floor", "rotation_floor"):
            if not 0 <= getattr(self, name) < np.inf:
                raise RelocError(f"covariance {name} must be at least 0, got {getattr(self, name)}")

    def apply(self, covariance: Array) -> Array:
        """Scale, then raise what lies below a floor."""
        return self.floored(self.scale * covariance)

    def floored(self, covariance: Array) -> Array:
        """Raise what lies below a floor: a larger diagonal leaves a covariance one."""
        floors = np.repeat([self.position_floor, self.rotation_floor], 3) ** 2
        return covariance + np.diag(np.maximum(floors - np.diag(covariance), 0))


def moved_covariance(covariance: Array, map_from_camera: SE3, camera_from_base: SE3) -> Array:
    """The covariance of `map_from_base` for that of `map_from_camera`, the mount being exact.

    Both turn by the same small rotation about the map's axes, and the base moves by that rotation times the lever
    from the camera to the base. That is the adjoint of a shift: perturbing on the left, as the map's axes do, a
    transform on the right changes nothing, and only the point that the rotation is about moves (Sola, Deray and
    Atchuthan, "A micro Lie theory for state estimation in robotics", 2018, on the adjoint and on uncertainty).

    Args:
        covariance: (6, 6) of map_from_camera.
    """
    lever_map = map_from_camera.rotation @ camera_from_base.translation
    shift = pose_adjoint(SE3(np.eye(3), -lever_map))
    moved = shift @ covariance @ shift.T
    return (moved + moved.T) / 2


def step_between(a: SE3, b: SE3) -> Array:
    """(6,) the step that moves one `map_from_x` to another: a shift, and a rotation vector, in the map."""
    turn = SE3(b.rotation @ a.rotation.T, np.zeros(3))
    return np.concatenate([b.translation - a.translation, turn.rotation_vector])


def stepped(pose: SE3, step: Array) -> SE3:
    """The pose moved by a step (6,): shifted along the map's axes, and turned about them where it is."""
    turn = SE3.from_rotation_vector(step[3:], np.zeros(3)).rotation
    return SE3(turn @ pose.rotation, pose.translation + step[:3])
