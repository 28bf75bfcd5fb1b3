"""A pose of a robot that drives on level ground: x, y and yaw are measured, the rest is the ground's."""

from __future__ import annotations

import numpy as np

from reloc_ros.geometry import SE3, Array

GROUND_SIGMA = 1e-3
"""Told of z, roll and pitch, metres and radians: not measured but given, and a covariance must have an inverse."""
PLANAR = [0, 1, 5]
"""Rows of a pose's covariance that a robot on the ground has: x, y and the turn about z."""


def on_ground(map_from_base: SE3, ground_z: float = 0.0) -> SE3:
    """The pose upright and at that height; x, y and the direction of the base's x axis seen from above stay."""
    forward, (x, y, _) = map_from_base.rotation[:, 0], map_from_base.translation
    return SE3.from_rotation_vector([0.0, 0.0, np.arctan2(forward[1], forward[0])], [x, y, ground_z])


def ground_covariance(map_from_base: SE3, covariance: Array) -> Array:
    """(6, 6) covariance of `on_ground(map_from_base)` for that of the pose itself.

    The other three are marginalized: x and y are two of the pose's own numbers. Yaw is the direction of the x axis h
    seen from above, atan2(h_y, h_x); a small turn t about the map's axes moves h by t x h, so

        d yaw = t_z - h_z (h_x t_x + h_y t_y) / (h_x^2 + h_y^2),

    which is t_z alone where the base is upright. The covariance follows to first order, J P J^T (Barfoot, "State
    Estimation for Robotics", 2017, 2.2.8; the marginal of a Gaussian is a block of it, 2.2.5).

    Args:
        covariance: (6, 6) as in geometry_msgs/PoseWithCovariance, about the map's axes.
    """
    x, y, z = map_from_base.rotation[:, 0]
    jacobian = np.eye(6)[PLANAR]
    jacobian[2, 3:5] = -z * np.array([x, y]) / (x * x + y * y)
    ground = np.eye(6) * GROUND_SIGMA**2
    ground[np.ix_(PLANAR, PLANAR)] = jacobian @ covariance @ jacobian.T
    return (ground + ground.T) / 2
