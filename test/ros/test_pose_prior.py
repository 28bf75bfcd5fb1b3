"""Where the camera is expected, from its last pose and what TF says of the odometry, and what that is good for."""

from __future__ import annotations

import numpy as np
import pytest
from node_process import lost_because, tracking
from rclpy.time import Time
from reloc_ros.msg import RelocStatus
from table_bundle import HIDDEN, HIDDEN_SEEN, view
from table_bundle import camera_from_map as view_from_map
from tf_world import TfWorld, seconds_after

from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.tf.frame_pose import expected_pose
from reloc_ros.stream.status import StampedPose

CAMERA = "camera_optical_frame"
BASE_FROM_CAMERA = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0.0, 0.4])
MAP_FROM_ODOM = SE3.from_rotation_vector([0.0, 0.0, 0.7], [2.0, -1.0, 0.0])
ODOM_FROM_BASE = (
    SE3.from_rotation_vector([0, 0, 0.1], [1.0, 0, 0]),
    SE3.from_rotation_vector([0, 0, 0.5], [1.3, 0.1, 0]),
)


@pytest.fixture
def world():
    world = TfWorld()
    yield world
    world.close()


def camera_from_map(odom_from_base: SE3) -> SE3:
    return (MAP_FROM_ODOM @ odom_from_base @ BASE_FROM_CAMERA).inverse()


def last_pose(stamp: Time) -> StampedPose:
    return StampedPose(camera_from_map(ODOM_FROM_BASE[0]), seconds_from_stamp(stamp.to_msg()))


def test_the_odometry_carries_the_last_pose_to_the_image(world):
    tree = world.tree("map_base")
    world.send_static("base_link", CAMERA, BASE_FROM_CAMERA)
    before = world.now()
    now = seconds_after(before, 0.1)
    # A stamp in seconds is off by some hundred nanoseconds: the odometry is older than that, as on a robot.
    stamps = seconds_after(before, -0.001), now
    for stamp, odom_from_base in zip(stamps, ODOM_FROM_BASE, strict=True):
        world.send("odom", "base_link", odom_from_base, stamp)
    world.wait_for(
        lambda: isinstance(tree.lookup("odom", CAMERA, now.to_msg()), SE3), "the odometry to be heard"
    )
    expected = expected_pose(last_pose(before), now.to_msg(), CAMERA, tree)
    np.testing.assert_allclose(expected.matrix, camera_from_map(ODOM_FROM_BASE[1]).matrix, atol=0.02)
    # In a map without metres, what the odometry says in metres is left out.
    assert expected_pose(last_pose(before), now.to_msg(), CAMERA, None) is None


def test_without_odometry_it_tells_nothing(world):
    tree, before = world.tree("map_base"), world.now()
    assert expected_pose(last_pose(before), seconds_after(before, 0.1).to_msg(), CAMERA, tree) is None


def test_a_lost_camera_and_one_whose_stamps_went_back_are_expected_nowhere(world):
    tree, before = world.tree("map_base"), world.now()
    assert expected_pose(None, before.to_msg(), CAMERA, tree) is None
    assert expected_pose(last_pose(before), seconds_after(before, -5.0).to_msg(), CAMERA, tree) is None


def test_the_last_pose_helps_to_find_the_next_one_and_can_be_left_out(start_node, peer):
    start_node(solver="opencv", silence_timeout_s=5.0)

    def hidden_view() -> RelocStatus:
        """Of the picture after one that tracks."""
        peer.show(view(5), tracking)
        stamp = peer.publish_image(view(HIDDEN)).header.stamp
        return peer.wait_for_status(lambda s: s.header.stamp == stamp, "the picture's status")

    found = hidden_view()
    assert tracking(found) and found.inliers == HIDDEN_SEEN
    peer.wait_for(lambda: peer.poses and peer.poses[-1].header.stamp == found.header.stamp, "its pose")
    p = peer.poses[-1].pose.position
    np.testing.assert_allclose([p.x, p.y, p.z], view_from_map(5).center, atol=1e-4)
    assert peer.set_parameter("use_prior", False) == (True, "")
    missed = hidden_view()
    assert (missed.state, missed.reason) == (RelocStatus.DEGRADED, "no_consensus")
    # Nothing is expected of a lost camera: it is found by what is seen alone.
    assert peer.set_parameter("use_prior", True) == (True, "")
    peer.show(view(0), lost_because("no_keypoints"))
    peer.show(view(HIDDEN), lost_because("no_consensus"))
