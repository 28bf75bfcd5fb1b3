"""The pose of the frame that the user wants to know about, which the camera's TF neighbours may be."""

from __future__ import annotations

import dataclasses

from builtin_interfaces.msg import Time as Stamp

from reloc_ros.geometry import SE3, Array
from reloc_ros.localizer import Localized
from reloc_ros.pose.covariance import moved_covariance
from reloc_ros.ros.tf.config import TfOutcome
from reloc_ros.ros.tf.tree import TfTree


@dataclasses.dataclass(frozen=True)
class FramedPose:
    """Where a frame is in the map."""

    frame: str
    map_from_frame: SE3
    covariance: Array
    """(6, 6), as in geometry_msgs/PoseWithCovariance."""


def framed_pose(
    frame: str, camera_frame: str, result: Localized, stamp: Stamp, tree: TfTree
) -> FramedPose | TfOutcome:
    """The pose of `frame` (empty: the camera's own), or why TF does not tell where it is beside the camera."""
    map_from_camera = result.camera_from_map.inverse()
    if frame in ("", camera_frame):
        return FramedPose(camera_frame, map_from_camera, result.covariance)
    camera_from_frame = tree.lookup(camera_frame, frame, stamp)
    if isinstance(camera_from_frame, TfOutcome):
        return camera_from_frame
    covariance = moved_covariance(result.covariance, map_from_camera, camera_from_frame)
    return FramedPose(frame, map_from_camera @ camera_from_frame, covariance)
