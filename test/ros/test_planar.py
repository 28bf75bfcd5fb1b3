"""A robot on level ground, as 2-D navigation has it."""

from __future__ import annotations

import numpy as np
import pytest
from node_process import FRAME, Peer, lost_because, publishing
from rclpy.time import Time
from table_bundle import camera_from_map, view
from tf_world import TfWorld

from reloc_ros.geometry import SE3, rotation_error_deg
from reloc_ros.pose.planar import PLANAR, on_ground
from reloc_ros.ros.conversions import se3_from_pose, se3_from_transform

GROUND_Z = -0.3
LEANING = SE3.from_rotation_vector([0.03, -0.04, 0.0], np.zeros(3))
"""By 3 degrees, as calibrations and floors are."""
MAP_FROM_BASE = SE3.from_rotation_vector([0, 0, 1.3], [-0.3, -0.1, -0.25]) @ LEANING
BASE_FROM_CAMERA = MAP_FROM_BASE.inverse() @ camera_from_map(5).inverse()
ODOM_FROM_BASE = SE3.from_rotation_vector([0, 0, 0.4], [5.0, 2.0, 0.1]) @ LEANING


@pytest.fixture
def robot():
    robot = TfWorld()
    yield robot
    robot.close()


def test_map_odom_and_poses_are_on_the_ground(start_node, peer: Peer, robot: TfWorld):
    node = start_node(planar=True, planar_z=GROUND_Z, tf_mode="map_odom", silence_timeout_s=5.0)
    robot.send_static("base_link", FRAME, BASE_FROM_CAMERA)
    robot.send_static("odom", "base_link", ODOM_FROM_BASE)
    peer.show(view(5), lambda s: publishing(s) and not s.transform and not s.detail)
    robot.wait_for(lambda: robot.sent("map", "odom"), "map -> odom")
    message = robot.sent("map", "odom")[-1]
    map_from_odom = se3_from_transform(message.transform)
    assert (message.transform.rotation.x, message.transform.rotation.y) == (0.0, 0.0)
    assert map_from_odom.translation[2] == pytest.approx(GROUND_Z)
    # By it the base is where it is by the pose, seen from above.
    seen = on_ground(map_from_odom @ ODOM_FROM_BASE, GROUND_Z)
    expected = on_ground(MAP_FROM_BASE, GROUND_Z)
    np.testing.assert_allclose(seen.matrix, expected.matrix, atol=1e-3)

    _, _, pose = peer.show_pose(view(5))
    np.testing.assert_allclose(se3_from_pose(pose.pose.pose).matrix, expected.matrix, atol=1e-3)
    covariance = np.reshape(pose.pose.covariance, (6, 6))
    assert np.linalg.eigvalsh(covariance[np.ix_(PLANAR, PLANAR)])[0] > 0
    assert not covariance[2:5][:, PLANAR].any()

    assert node.stop() == 0
    assert "Traceback" not in node.output


def test_a_pose_tilted_farther_than_allowed_is_none_and_the_reason_is_told(
    start_node, peer: Peer, robot: TfWorld
):
    start_node(planar=True, planar_max_tilt=0.01, tf_mode="map_base", silence_timeout_s=5.0)
    robot.send_static("base_link", FRAME, BASE_FROM_CAMERA)
    status = peer.show(view(5), lost_because("tilted"))
    assert "base_link would lie 2.9 deg off level" in status.detail
    assert status.keypoints > 0
    peer.show(view(5), lost_because("tilted"))
    assert (peer.poses, robot.sent("map", "base_link")) == ([], [])


def test_map_base_is_on_the_ground(start_node, peer: Peer, robot: TfWorld):
    start_node(planar=True, tf_mode="map_base", silence_timeout_s=5.0)
    robot.send_static("base_link", FRAME, BASE_FROM_CAMERA)
    status, map_from_base = peer.show_transform(view(5), "map", "base_link")
    expected = on_ground(MAP_FROM_BASE)
    np.testing.assert_allclose(map_from_base.translation, expected.translation, atol=1e-3)
    assert rotation_error_deg(map_from_base, expected) < 0.1
    assert Time.from_msg(status.header.stamp).nanoseconds


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"tf_mode": "map_camera"}, "planar puts the robot on the ground"),
        ({"tf_mode": "none", "pose_frame": "imu"}, "leave pose_frame empty, got imu"),
    ],
)
def test_what_does_not_go_with_the_ground_is_a_sentence(start_node, parameters, words):
    node = start_node(planar=True, **parameters)
    assert node.exit_code() == 2
    assert words in node.output
