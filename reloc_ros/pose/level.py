"""Whether a robot lies as level as robots do: where it does not, a frame is not what it is taken for."""

from __future__ import annotations

import numpy as np

from reloc_ros.geometry import SE3

MAX_TILT_DEG = 45.0
"""A mount that is a quarter turn wrong tilts a robot by at least 60 deg, unless its camera is rolled too."""
_OPTICAL_FROM_BODY = SE3(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))
"""REP-103: a body has x forward and z up, an optical frame z forward and y down."""


def tilt_deg(map_from_frame: SE3) -> float:
    """Angle between the z axes of a frame and of the map."""
    return float(np.degrees(np.arccos(np.clip(map_from_frame.rotation[2, 2], -1, 1))))


def tilt_problem(
    frame: str, camera_frame: str, map_from_camera: SE3, camera_from_frame: SE3, option: str = "camera_frame"
) -> str:
    """Why a frame that is level on every robot cannot lie as a pose says, as a sentence; empty when it may.

    Args:
        frame: the robot's base or its odometry.
        camera_frame: the frame that the images name.
        camera_from_frame: by TF.
        option: by which another camera frame is given.
    """
    tilted_deg = tilt_deg(map_from_camera @ camera_from_frame)
    if tilted_deg <= MAX_TILT_DEG:
        return ""
    said = f"{frame} lies {tilted_deg:.0f} deg off level by TF from {camera_frame}"
    if tilt_deg(map_from_camera @ _OPTICAL_FROM_BODY @ camera_from_frame) <= MAX_TILT_DEG:
        return (
            f"{said}, which looks like a body frame (x forward, z up), but a camera's pose is that of its optical "
            f"frame (z forward, y down); name that by {option}"
        )
    return (
        f"{said}: either that transform is wrong, or {camera_frame} is no optical frame (z forward, y down; name that "
        f"by {option}), or the map is not upright (reloc align --up)"
    )
