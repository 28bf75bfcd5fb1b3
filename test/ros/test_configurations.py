"""The example configurations, given to the real node."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import PoseWithCovarianceStamped
from node_process import FRAME, Peer, tracking
from rclpy.time import Time
from table_bundle import camera_from_map, view
from tf2_msgs.msg import TFMessage
from tf_world import TfWorld

from reloc_ros.geometry import SE3

CONFIG = Path(__file__).parent.parent.parent / "config"
MAP_FROM_BASE = SE3.from_rotation_vector([0, 0, 1.3], [-0.3, -0.1, 0.0])
"""Level, and on the ground, as the planar configuration has it."""
BASE_FROM_CAMERA = MAP_FROM_BASE.inverse() @ camera_from_map(5).inverse()


@pytest.fixture
def robot():
    robot = TfWorld()
    yield robot
    robot.close()


def drive(manager: Peer, steps: Sequence[tuple[str, str]]) -> None:
    """As nav2_lifecycle_manager does: each transition within its service timeout, and then it asks for the state."""
    nav2 = yaml.safe_load((CONFIG / "nav2.yaml").read_text())
    timeout_s = nav2["/**/lifecycle_manager_localization"]["ros__parameters"]["service_timeout"]
    for transition, state in steps:
        began_s = time.monotonic()
        assert manager.change(transition), transition
        assert time.monotonic() - began_s < timeout_s
        assert manager.lifecycle() == state


def test_nav2s_manager_brings_the_node_up_and_it_places_the_odometry(start_node, peer: Peer, robot: TfWorld):
    start_node(arguments=("--params-file", str(CONFIG / "nav2.yaml")))
    peer.wait_for_status(lambda status: status.reason == "not_configured")
    drive(peer, (("configure", "inactive"), ("activate", "active")))
    robot.send_static("base_link", FRAME, BASE_FROM_CAMERA)

    def placed() -> bool:
        robot.send("odom", "base_link", SE3.identity(), robot.now())
        peer.show(view(5), lambda _: True)
        return bool(robot.sent("map", "odom"))

    robot.wait_for(placed, "map -> odom")
    stamp = Time.from_msg(robot.sent("map", "odom")[-1].header.stamp)
    map_from_base = camera_from_map(5).inverse() @ BASE_FROM_CAMERA.inverse()
    np.testing.assert_allclose(
        robot.wait_for_transform("map", "odom", stamp).matrix, map_from_base.matrix, atol=1e-4
    )
    # As the manager resets and then ends: from the top again, and out.
    down = ("deactivate", "inactive"), ("cleanup", "unconfigured")
    drive(peer, (*down, ("configure", "inactive"), ("activate", "active"), *down, ("shutdown", "finalized")))


def test_a_robot_in_a_namespace_has_a_tree_of_its_own(start_node):
    """As nav2_localization.launch.py namespace:=robot1 starts the node, with the parameters that stand in the file."""
    robot, peer = TfWorld(namespace="/robot1"), Peer(namespace="/robot1")
    shared = peer.listen(TFMessage, "/tf", 100)
    try:
        words = ("-r", "__ns:=/robot1", "-r", "/tf:=tf", "-r", "/tf_static:=tf_static")
        start_node(
            remap={"image": "/image", "camera_info": "/camera_info"},
            arguments=(*words, "--params-file", str(CONFIG / "nav2.yaml")),
        )
        peer.wait_for_status(lambda status: status.reason == "not_configured")
        assert peer.change("configure", "/robot1/reloc")
        assert peer.change("activate", "/robot1/reloc")
        robot.send_static("base_link", FRAME, BASE_FROM_CAMERA)

        def placed() -> bool:
            robot.send("odom", "base_link", SE3.identity(), robot.now())
            peer.show(view(5), lambda _: True)
            return bool(robot.sent("map", "odom"))

        robot.wait_for(placed, "map -> odom")
        assert shared == []
    finally:
        peer.close()
        robot.close()


def test_robot_localization_gets_the_pose_of_the_base_with_its_covariance(
    start_node, peer: Peer, robot: TfWorld
):
    robot.send_static("base_link", FRAME, BASE_FROM_CAMERA)
    start_node(arguments=("--params-file", str(CONFIG / "robot_localization.yaml")))
    peer.show(view(5), tracking)

    def posed() -> bool:
        peer.show(view(5), tracking)
        return bool(peer.poses_with_covariance)

    peer.wait_for(posed, "a pose")
    message = peer.poses_with_covariance[-1]
    expected = camera_from_map(5).inverse() @ BASE_FROM_CAMERA.inverse()
    p = message.pose.pose.position
    np.testing.assert_allclose([p.x, p.y, p.z], expected.translation, atol=1e-4)
    sigmas = np.sqrt(np.diag(np.reshape(message.pose.covariance, (6, 6))))
    assert (sigmas[:3] >= 0.01 - 1e-9).all()
    assert (sigmas[3:] >= 0.005 - 1e-9).all()
    assert robot.sent("map", "odom") == []


def test_in_the_place_of_tags_the_map_is_the_cameras_child(start_node, peer: Peer, robot: TfWorld):
    robot.send_static("mast", FRAME, SE3.identity())  # the camera keeps its parent
    start_node(arguments=("--params-file", str(CONFIG / "from_apriltags.yaml")))
    _, camera_from_the_map = peer.show_transform(view(5), parent=FRAME, child="map")
    np.testing.assert_allclose(camera_from_the_map.matrix, camera_from_map(5).matrix, atol=1e-4)


def test_beside_amcl_the_node_tells_where_the_robot_is_and_broadcasts_nothing(
    start_node, peer: Peer, robot: TfWorld
):
    told = peer.listen(PoseWithCovarianceStamped, "/initialpose")
    level = SE3.from_rotation_vector([0, 0, 1.3], [-0.3, -0.1, 0.0])
    robot.send_static("base_link", FRAME, level.inverse() @ camera_from_map(5).inverse())
    start_node(arguments=("--params-file", str(CONFIG / "beside_amcl.yaml")))

    def has_told() -> bool:
        peer.show(view(5), tracking)
        return bool(told)

    peer.wait_for(has_told, "the initial pose")
    p = told[-1].pose.pose.position
    np.testing.assert_allclose([p.x, p.y, p.z], level.translation, atol=1e-3)
    assert robot.sent("map", "odom") == []
