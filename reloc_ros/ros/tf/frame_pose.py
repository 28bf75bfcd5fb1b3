"""What TF adds to the camera's pose: that of another frame of the robot, and where the camera is expected next."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from builtin_interfaces.msg import Time as Stamp
from rclpy.time import Time

from reloc_ros.geometry import SE3, Array
from reloc_ros.localizer import Localized, Lost
from reloc_ros.pose.acceptance import LostReason
from reloc_ros.pose.covariance import moved_covariance
from reloc_ros.pose.level import tilt_deg
from reloc_ros.pose.planar import ground_covariance, on_ground
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.input.image_outcome import ImageOutcome
from reloc_ros.ros.tf.config import TfOutcome
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.status import StampedPose


@dataclasses.dataclass(frozen=True)
class FramePose:
    """Where a frame of the TF tree is in the map."""

    frame: str
    map_from_frame: SE3
    covariance: Array
    """(6, 6), as in geometry_msgs/PoseWithCovariance."""

    def seen_from(self, other_from_map: SE3) -> FramePose:
        """The same in another frame that the map is fixed to."""
        turn = np.kron(np.eye(2), other_from_map.rotation)
        covariance = turn @ self.covariance @ turn.T
        return FramePose(self.frame, other_from_map @ self.map_from_frame, covariance)

    def on_ground(self, ground_z: float) -> FramePose:
        """The same of a robot that drives on level ground."""
        pose, covariance = self.map_from_frame, self.covariance
        return FramePose(self.frame, on_ground(pose, ground_z), ground_covariance(pose, covariance))


def pose_of_frame(
    frame: str, camera_frame: str, result: Localized, stamp: Stamp, tree: TfTree
) -> FramePose | TfOutcome:
    """The pose of `frame` (empty: the camera's own), or why TF does not tell where it is beside the camera."""
    map_from_camera = result.camera_from_map.inverse()
    if frame in ("", camera_frame):
        return FramePose(camera_frame, map_from_camera, result.covariance)
    camera_from_frame = tree.lookup(camera_frame, frame, stamp)
    if isinstance(camera_from_frame, TfOutcome):
        return camera_from_frame
    covariance = moved_covariance(result.covariance, map_from_camera, camera_from_frame)
    return FramePose(frame, map_from_camera @ camera_from_frame, covariance)


def refused_if_tilted(outcome: ImageOutcome, given: Parameters, tree: TfTree) -> ImageOutcome:
    """No pose where the base of a robot on level ground would lie farther off level than it may."""
    if not isinstance(outcome.result, Localized):
        return outcome
    camera_frame = given.camera_frame or outcome.header.frame_id
    camera_from_base = tree.lookup(camera_frame, given.base_frame, outcome.header.stamp)
    if isinstance(camera_from_base, TfOutcome):  # nothing on the ground is published then either
        return outcome
    tilted_deg = tilt_deg(outcome.result.camera_from_map.inverse() @ camera_from_base)
    limit_deg = math.degrees(given.planar_max_tilt)
    if tilted_deg <= limit_deg:
        return outcome
    found = outcome.result
    detail = (
        f"{given.base_frame} would lie {tilted_deg:.1f} deg off level, and with planar {limit_deg:.1f} are allowed "
        "(planar_max_tilt)"
    )
    seen = found.keypoints, found.inliers, found.stage_ms, found.found_by
    lost = Lost(LostReason.IMPLAUSIBLE_VIEW, detail, *seen)
    return dataclasses.replace(outcome, result=lost, reason="tilted", detail=detail)


def expected_pose(
    last: StampedPose | None, stamp: Stamp, camera_frame: str, odometry: TfTree | None
) -> SE3 | None:
    """camera_from_map where it was last, moved as the odometry says; None where TF does not have that, or while lost.

    Args:
        last: the last pose that counted; None while lost.
        stamp: of the image.
        odometry: tells how the robot moved; None where the map's unit is not the metre.
    """
    if (
        last is None or odometry is None or seconds_from_stamp(stamp) <= last.stamp_s
    ):  # or a recording started over
        return None
    before = Time(nanoseconds=round(last.stamp_s * 1e9)).to_msg()
    before_from_now = odometry.motion(camera_frame, before, stamp)
    return before_from_now and before_from_now.inverse() @ last.camera_from_map
