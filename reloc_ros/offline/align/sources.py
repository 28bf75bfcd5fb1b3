"""How a camera sits on a robot or beside an IMU, as the user writes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3

IMU_ROTATIONS = {
    "identity": np.eye(3),
    "body": np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]),
}
"""imu_from_camera for an IMU with the axes of the optical frame, or of a body that looks as the camera does."""


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
        x, y, z, w = (float(number) for number in text.split(","))
        rotation = SE3.from_quaternion_wxyz([w, x, y, z], np.zeros(3)).rotation
    except ValueError as error:
        raise RelocError(
            f"--imu-from-camera is identity, body or a quaternion x,y,z,w, not '{text}'"
        ) from error
    if not np.isfinite(rotation).all():
        raise RelocError(f"--imu-from-camera '{text}' is not finite")
    return rotation


def parse_mount(text: str) -> SE3:
    """body_from_camera by `x y z qx qy qz qw`."""
    words = text.replace(",", " ").split()
    try:
        x, y, z, *quaternion = (float(word) for word in words)
        qx, qy, qz, qw = quaternion
        mount = SE3.from_quaternion_wxyz([qw, qx, qy, qz], [x, y, z])
    except ValueError as error:
        raise RelocError(f"--base-from-camera is 'x y z qx qy qz qw', not '{text}'") from error
    if not np.isfinite(mount.matrix).all():
        raise RelocError(f"--base-from-camera '{text}' is not finite")
    return mount
