"""What goes wrong around the node on a robot: other processes that are killed, come late, or say what cannot be."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from geometry_msgs.msg import TransformStamped
from node_process import FRAME, Peer, tracking
from rclpy.qos import DurabilityPolicy, QoSProfile
from reloc_ros.msg import RelocStatus
from table_bundle import camera_from_map, view
from tf2_msgs.msg import TFMessage

from reloc_ros.geometry import SE3, center_error
from reloc_ros.ros.conversions import transform_from_se3

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BASE_FROM_CAMERA = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0.05, 0.8])


class CameraProcess:
    """A camera driver in a process of its own."""

    def __init__(self, pictures: Path, bundle: Path, reliability: str, log: Path) -> None:
        words = [
            "-m",
            "reloc_ros.bench.node.camera",
            pictures,
            bundle,
            20,
            320,
            240,
            "--reliability",
            reliability,
        ]
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, *map(str, words)], stdout=stream, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        """Without a chance to say goodbye to anybody."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def start_camera(table_bundle, tmp_path):
    """start_camera(reliability) -> CameraProcess: always the same view."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(pictures / f"{name}.png"), view(5))
    cameras: list[CameraProcess] = []

    def start(reliability: str) -> CameraProcess:
        cameras.append(CameraProcess(pictures, table_bundle, reliability, tmp_path / f"{len(cameras)}.log"))
        return cameras[-1]

    yield start
    for camera in cameras:
        camera.kill()


def test_a_killed_camera_means_lost_and_another_one_in_its_place_is_heard(start_node, peer, start_camera):
    """The dead one stays in the graph until its lease is over: what it offered must not shut its successor out."""
    node = start_node(silence_timeout_s=1.0)
    for reliability in ("reliable", "best_effort", "reliable"):
        before = len(peer.statuses)
        camera = start_camera(reliability)
        peer.wait_for(lambda before=before: any(map(tracking, peer.statuses[before:])), "tracking")
        camera.kill()
        before = len(peer.statuses)
        peer.wait_for(
            lambda before=before: any(s.reason == "images_stopped" for s in peer.statuses[before:]),
            "the end of the images",
        )
        assert peer.statuses[-1].state == RelocStatus.LOST
    poses = len(peer.poses)
    time.sleep(0.3)
    assert len(peer.poses) == poses
    assert node.stop() == 0
    assert "Traceback" not in node.output


def publish(peer: Peer, topic: str, parent: str, child: str, parent_from_child: SE3) -> None:
    transform = TransformStamped(child_frame_id=child, transform=transform_from_se3(parent_from_child))
    transform.header.frame_id, transform.header.stamp = parent, peer.stamp()
    profile = LATCHED if topic == "/tf_static" else QoSProfile(depth=100)
    peer.publisher(TFMessage, topic, profile).publish(TFMessage(transforms=[transform]))


def test_a_transform_that_is_missing_is_named_and_used_once_it_is_there(start_node, peer):
    node = start_node(tf_mode="map_base", silence_timeout_s=5.0)
    status = peer.show(view(5), lambda s: s.transform == "no_transform")
    assert tracking(status) and status.pose_published
    assert "base_link" in status.detail
    publish(peer, "/tf_static", "base_link", FRAME, BASE_FROM_CAMERA)
    _, map_from_base = peer.show_transform(view(5), "map", "base_link")
    expected = camera_from_map(5).inverse() @ BASE_FROM_CAMERA.inverse()
    assert center_error(map_from_base.inverse(), expected.inverse()) < 1e-4
    assert node.stop() == 0
    assert "Traceback" not in node.output


def test_a_parent_that_comes_later_ends_the_broadcast_and_is_named(start_node, peer):
    node = start_node(tf_mode="map_base", silence_timeout_s=5.0)
    publish(peer, "/tf_static", "base_link", FRAME, BASE_FROM_CAMERA)
    peer.show(view(5), lambda s: tracking(s) and not s.transform)
    transforms = peer.listen(TFMessage, "/tf", 100)

    def refused() -> RelocStatus:
        """Of a picture that is looked at while another node says whose child base_link is."""
        publish(peer, "/tf", "odom", "base_link", SE3.identity())
        return peer.show(view(5), lambda _: True)

    peer.wait_for(lambda: refused().transform == "parent_present", "the refusal")
    status = refused()
    assert status.pose_published
    assert "base_link has the parent odom already" in status.detail
    peer.wait_for(lambda: "base_link has the parent odom already" in node.output, "the warning")
    before = len(transforms)
    for _ in range(5):
        assert refused().transform == "parent_present"
    assert {t.header.frame_id for m in transforms[before:] for t in m.transforms} <= {"odom"}
    assert node.stop() == 0
    assert "Traceback" not in node.output
