"""Where the camera is expected to be when an image is taken."""

from __future__ import annotations

from builtin_interfaces.msg import Time as Stamp
from rclpy.time import Time

from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.status import StampedPose


def expected_pose(
    last: StampedPose | None, stamp: Stamp, camera_frame: str, odometry: TfTree | None
) -> SE3 | None:
    """camera_from_map where it was last, moved as the odometry says where TF has that; None where that is no help.

    Args:
        last: the last pose that counted; None while lost.
        stamp: of the image.
        odometry: tells how the robot moved; None where the map's unit is not the metre.
    """
    if last is None or seconds_from_stamp(stamp) <= last.stamp_s:  # lost, or a recording that started over
        return None
    before = Time(nanoseconds=round(last.stamp_s * 1e9)).to_msg()
    before_from_now = odometry and odometry.motion(camera_frame, before, stamp)
    return before_from_now.inverse() @ last.camera_from_map if before_from_now else last.camera_from_map
