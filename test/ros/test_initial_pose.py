"""Beside AMCL, or in its place: `initialpose` out and in."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from node_process import FRAME, Peer, lost_because, publishing
from rclpy.qos import DurabilityPolicy, QoSProfile
from reloc_ros.msg import RelocStatus
from std_srvs.srv import Empty
from table_bundle import HIDDEN, camera_from_map, view
from tf2_msgs.msg import TFMessage

from reloc_ros.geometry import SE3
from reloc_ros.pose.planar import on_ground
from reloc_ros.ros.conversions import pose_from_se3, se3_from_pose, transform_from_se3

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
MAP_FROM_BASE = SE3.from_rotation_vector([0, 0, 1.3], [-0.3, -0.1, 0.0]) @ SE3.from_rotation_vector(
    [0.02, 0.01, 0], np.zeros(3)
)
BASE_FROM_CAMERA = MAP_FROM_BASE.inverse() @ camera_from_map(5).inverse()
FAR = SE3.from_rotation_vector([0, 0, 0], [3.0, 0, 0]) @ MAP_FROM_BASE


class Amcl:
    """In what is told and heard, Nav2's: a pose in another frame, or before it is active, is not used."""

    def __init__(self, frame: str = "map") -> None:
        self._peer, self._frame = Peer(), frame
        self.heard: list[PoseWithCovarianceStamped] = []
        self.refused = 0
        self.active = threading.Event()
        self._publisher = self._peer.publisher(PoseWithCovarianceStamped, "/amcl_pose", LATCHED)
        self._peer.node.create_subscription(PoseWithCovarianceStamped, "/initialpose", self._on_pose, 10)

    def says(self, map_from_base: SE3) -> None:
        message = PoseWithCovarianceStamped()
        message.header.frame_id, message.pose.pose = self._frame, pose_from_se3(map_from_base)
        self._publisher.publish(message)

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        if message.header.frame_id != self._frame or not self.active.is_set():
            self.refused += 1
            return
        self.heard.append(message)
        self.says(se3_from_pose(message.pose.pose))

    def close(self) -> None:
        self._peer.close()


@pytest.fixture
def start_amcl():
    started: list[Amcl] = []

    def start(frame: str = "map") -> Amcl:
        started.append(Amcl(frame))
        return started[-1]

    yield start
    for amcl in started:
        amcl.close()


def publish_static(peer: Peer, *links: tuple[str, str, SE3]) -> None:
    messages = []
    for parent, child, parent_from_child in links:
        message = TransformStamped(child_frame_id=child, transform=transform_from_se3(parent_from_child))
        message.header.frame_id = parent
        messages.append(message)
    peer.publisher(TFMessage, "/tf_static", LATCHED).publish(TFMessage(transforms=messages))


def show_until(peer: Peer, condition, what: str) -> None:
    def shown() -> bool:
        peer.show(view(5), publishing)
        return condition()

    peer.wait_for(shown, what)


def test_amcl_is_told_until_it_agrees_also_when_it_comes_late_or_starts_again(start_node, peer, start_amcl):
    node = start_node(
        publish_initial_pose=True, initial_pose_distance=0.5, tf_mode="none", silence_timeout_s=5.0
    )
    publish_static(peer, ("base_link", FRAME, BASE_FROM_CAMERA))
    for _ in range(12):
        peer.show(view(5), publishing)
    assert "is told" not in node.output  # nobody is there
    amcl = start_amcl()
    show_until(peer, lambda: amcl.refused >= 1, "a pose for one that is not active")
    amcl.active.set()
    show_until(peer, lambda: amcl.heard, "the pose")
    pose = se3_from_pose(amcl.heard[-1].pose.pose)
    np.testing.assert_allclose(pose.matrix, on_ground(MAP_FROM_BASE).matrix, atol=1e-3)
    # They agree now.
    count = len(amcl.heard)
    for _ in range(40):
        peer.show(view(5), publishing)
    assert len(amcl.heard) == count
    amcl.says(FAR)
    show_until(peer, lambda: len(amcl.heard) > count, "the pose, as it went astray")
    amcl.close()
    again = start_amcl()
    again.active.set()
    show_until(peer, lambda: again.heard, "the pose for the one that started again")


def test_amcl_is_told_in_its_own_frame(start_node, peer, start_amcl):
    world_from_map = SE3.from_rotation_vector([0, 0, 0.7], [10.0, -4.0, 0.0])
    start_node(publish_initial_pose=True, initial_pose_distance=0.5, tf_mode="none", silence_timeout_s=5.0)
    publish_static(peer, ("base_link", FRAME, BASE_FROM_CAMERA))
    amcl = start_amcl("floor")
    amcl.active.set()
    amcl.says(SE3.identity())
    peer.show(view(5), lambda s: publishing(s) and "cannot be told in floor" in s.detail)
    publish_static(peer, ("base_link", FRAME, BASE_FROM_CAMERA), ("floor", "map", world_from_map))
    show_until(peer, lambda: amcl.heard, "the pose")
    expected = on_ground(world_from_map @ MAP_FROM_BASE)
    np.testing.assert_allclose(se3_from_pose(amcl.heard[-1].pose.pose).matrix, expected.matrix, atol=1e-3)


def test_a_pose_of_amcl_that_is_none_is_told_and_costs_nothing_else(start_node, peer, start_amcl):
    start_node(publish_initial_pose=True, tf_mode="none", silence_timeout_s=5.0)
    publish_static(peer, ("base_link", FRAME, BASE_FROM_CAMERA))
    start_amcl().says(MAP_FROM_BASE)
    peer.show(view(5), publishing)
    nonsense = PoseWithCovarianceStamped()
    nonsense.pose.pose.orientation.w = 0.0
    publisher = peer.publisher(PoseWithCovarianceStamped, "/amcl_pose", LATCHED)

    def told(status: RelocStatus) -> bool:
        publisher.publish(nonsense)
        return publishing(status) and "amcl_pose is not used" in status.detail

    assert "norm above zero" in peer.show(view(5), told).detail


def test_rviz_says_where_the_robot_is_and_it_is_looked_for_there(start_node, peer):
    """Most keypoints of this view are wrong, so a search that expects nothing does not find it."""
    start_node(take_initial_pose=True, tf_mode="none", solver="opencv", silence_timeout_s=5.0)
    publish_static(peer, ("base_link", FRAME, BASE_FROM_CAMERA))
    for _ in range(5):
        assert not peer.show(view(HIDDEN), lambda s: s.keypoints > 0).pose_published
    click = PoseWithCovarianceStamped()
    click.header.frame_id, click.header.stamp = "odom", peer.stamp()
    click.pose.pose = pose_from_se3(MAP_FROM_BASE)
    publisher = peer.publisher(PoseWithCovarianceStamped, "/initialpose")
    peer.wait_for_subscriber(PoseWithCovarianceStamped, "/initialpose")
    publisher.publish(click)
    diagnostics = peer.listen_to_diagnostics()
    peer.wait_for(
        lambda: any("in frame 'odom', and the map is map" in v.value for d in diagnostics for v in d.values),
        "what is wrong with it",
    )
    click.header.frame_id, click.header.stamp = "map", peer.stamp()
    publisher.publish(click)
    peer.wait_for_status(lambda s: s.reason == "relocalizing" and "a person said" in s.detail)
    peer.show(view(HIDDEN), publishing)


def test_asked_to_forget_it_does(start_node, peer):
    transforms = peer.listen(TFMessage, "/tf", 100)
    start_node(take_initial_pose=True, tf_mode="map_odom", silence_timeout_s=5.0)
    publish_static(peer, ("base_link", FRAME, BASE_FROM_CAMERA), ("odom", "base_link", SE3.identity()))
    peer.show(view(5), lambda s: publishing(s) and not s.transform)
    peer.wait_until_quiet(peer.statuses)  # images under way would find the robot again at once
    peer.call(Empty, "/reinitialize_global_localization")
    peer.wait_for_status(lost_because("relocalizing"))
    count = peer.wait_until_quiet(transforms)
    peer.show(view(5), publishing)
    peer.wait_for(lambda: len(transforms) > count, "transforms again")


def test_images_from_before_all_time_cost_themselves_while_a_persons_word_stands(start_node, peer):
    """Five on which the work raised something would end the node."""
    node = start_node(take_initial_pose=True, silence_timeout_s=5.0)
    peer.show(view(5), publishing)
    click = PoseWithCovarianceStamped()
    click.header.frame_id, click.header.stamp, click.pose.pose.orientation.w = "map", peer.stamp(), 1.0
    peer.wait_for_subscriber(PoseWithCovarianceStamped, "/initialpose")
    peer.publisher(PoseWithCovarianceStamped, "/initialpose").publish(click)
    peer.wait_for_status(lost_because("relocalizing"))
    before = peer.wait_until_quiet(peer.statuses)

    def refused() -> bool:
        peer.publish_image(view(5), stamp=Time(sec=-5))
        time.sleep(0.05)
        return sum("stamped -5 s" in s.detail for s in peer.statuses[before:]) > 5

    peer.wait_for(refused, "what is wrong with them")
    assert {status.reason for status in peer.statuses[before:]} <= {"bad_image", "relocalizing"}
    peer.show(view(5), publishing)
    assert node.stop() == 0
