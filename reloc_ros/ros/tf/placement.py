"""From a camera's pose to that of the frame which is placed in the map, by the tree at the image's time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from reloc_ros.geometry import SE3, Array
from reloc_ros.pose.covariance import moved_covariance
from reloc_ros.pose.planar import ground_covariance, on_ground
from reloc_ros.ros.tf.config import TfConfig, TfOutcome

Lookup = Callable[[str, str], SE3 | TfOutcome]
"""`target_from_source` for two frames at the image's time, or why there is none."""


@dataclasses.dataclass(frozen=True, eq=False)
class Placement:
    """Where a frame is in the map, by one image."""

    map_from_child: SE3
    child_from_body: SE3
    """Of what was measured: the base on level ground, else the camera."""
    covariance: Array
    """(6, 6) of map_from_body, as in geometry_msgs/PoseWithCovariance."""


def placement(
    config: TfConfig,
    child: str,
    camera_frame: str,
    map_from_camera: SE3,
    covariance: Array,
    lookup: Lookup,
) -> Placement | TfOutcome:
    """The place of `child` by that of the camera; or which transform is missing."""
    if not config.planar:
        camera_from_child = lookup(camera_frame, child)
        if isinstance(camera_from_child, TfOutcome):
            return camera_from_child
        return Placement(map_from_camera @ camera_from_child, camera_from_child.inverse(), covariance)
    camera_from_base, child_from_base = (
        lookup(camera_frame, config.base_frame),
        lookup(child, config.base_frame),
    )
    for outcome in (camera_from_base, child_from_base):
        if isinstance(outcome, TfOutcome):
            return outcome
    map_from_base = map_from_camera @ camera_from_base
    moved = moved_covariance(covariance, map_from_camera, camera_from_base)
    # Odometry may have a height and a tilt of its own, on a ramp: those are not for the link above it.
    child_from_body = on_ground(child_from_base)
    return Placement(
        on_ground(map_from_base, config.planar_z) @ child_from_body.inverse(),
        child_from_body,
        ground_covariance(map_from_base, moved),
    )
