"""A pose as a line of the TUM format has it: `tx ty tz qx qy qz qw`."""

from __future__ import annotations

from reloc_ros.geometry import SE3


def parse_tum_pose(text: str) -> SE3:
    """Read a pose; raises ValueError unless it is seven finite numbers with a quaternion above zero."""
    x, y, z, qx, qy, qz, qw = (float(word) for word in text.split())
    return SE3.from_quaternion_wxyz([qw, qx, qy, qz], [x, y, z])


def format_tum_pose(pose: SE3) -> str:
    """Write a pose with nine decimals."""
    w, x, y, z = pose.quaternion_wxyz
    return " ".join(f"{number:.9f}" for number in (*pose.translation, x, y, z, w))
