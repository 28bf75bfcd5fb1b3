"""What goes wrong on robots, done to one node that lives through all of it: it names each fault, and recovers."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
import time
from array import array

import pytest
from geometry_msgs.msg import TransformStamped
from node_process import FRAME, NodeProcess, Peer, camera_info, publishing
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from table_bundle import CAMERA, view
from tf2_msgs.msg import TFMessage

from reloc_ros.cameras import Camera

K = [500.0, 0.0, 319.5, 0.0, 500.0, 239.5, 0.0, 0.0, 1.0]
NAN_DISTORTION = CameraInfo(width=640, height=480, k=K, d=[float("nan")] * 5, distortion_model="plumb_bob")


@pytest.fixture(scope="module")
def node(table_bundle, tmp_path_factory):
    log = tmp_path_factory.mktemp("faults") / "node.log"
    given = {"bundle": str(table_bundle), "backend": "onnx", "silence_timeout_s": 5.0}
    node = NodeProcess(given, {}, (), log)
    yield node
    code = node.stop()
    node.kill()
    assert code == 0, node.output
    assert "Traceback" not in node.output


@pytest.fixture(autouse=True)
def sound_before_and_after(node, peer):
    """Each fault comes upon a node that tracks, and leaves one behind."""
    peer.show(view(5), publishing)
    yield
    peer.show(view(5), publishing)
    assert node.process.poll() is None, node.output


def image_of(peer: Peer, **changes) -> Image:
    message = Image(width=640, height=480, encoding="bgr8", step=3 * 640)
    message.header.frame_id = FRAME
    message.data = array("B", view(5).tobytes())
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 0, "height": 0, "step": 0, "data": array("B")}, "0x0"),
        ({"height": 0, "data": array("B")}, "640x0"),
        ({"step": 600}, "step is 600"),
        ({"step": 5000}, "truncated"),
        ({"data": array("B", bytes(1000))}, "truncated: 1000 bytes"),
        ({"data": array("B")}, "truncated: 0 bytes"),
        ({"encoding": "32FC1", "step": 4 * 640}, "32FC1"),
        ({"encoding": ""}, "encoding ''"),
        ({"encoding": "bgr8; DROP"}, "not supported"),
        ({"width": 4294967295, "step": 4294967295}, "step"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_image_that_is_none_is_named(peer, changes, words):
    before = len(peer.statuses)
    publisher, message = peer.publisher(Image, "/image"), image_of(peer, **changes)

    def named() -> bool:
        message.header.stamp = peer.stamp()
        publisher.publish(message)
        time.sleep(0.05)
        return any(s.reason == "bad_image" and words in s.detail for s in peer.statuses[before:])

    peer.wait_for(named, f"a status with {words!r}")


@pytest.mark.parametrize(("seconds", "words"), [(0, "no stamp"), (-5, "stamped -5 s")])
def test_an_image_without_a_time_is_named(peer, seconds, words):
    before, message = len(peer.statuses), image_of(peer)
    message.header.stamp.sec = seconds

    def named() -> bool:
        peer.publisher(Image, "/image").publish(message)
        time.sleep(0.05)
        return any(words in s.detail for s in peer.statuses[before:])

    peer.wait_for(named, "the status")


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (CameraInfo(width=640, height=480), "all zeros"),
        (CameraInfo(width=640, height=480, k=[float("nan")] * 9), "finite"),
        (CameraInfo(width=640, height=480, k=[float("inf")] * 9), "finite"),
        (CameraInfo(width=0, height=0, k=[500.0, 0, 320, 0, 500, 240, 0, 0, 1]), "1x1"),
        (camera_info(CAMERA.resized(320, 240)), "320x240"),
        (NAN_DISTORTION, "finite"),
        (
            CameraInfo(width=640, height=480, k=K, d=[0.1] * 3, distortion_model="x"),
            "model 'x'",
        ),
    ],
    ids=["zeros", "nan", "infinite", "no size", "another size", "nan distortion", "unknown model"],
)
def test_a_camera_info_that_is_none_is_named_until_a_good_one_comes(peer, info, words):
    before = len(peer.statuses)

    def named() -> bool:
        peer.publisher(CameraInfo, "/camera_info").publish(info)
        peer.publish_image(view(5))
        time.sleep(0.05)
        return any(s.reason == "bad_camera_info" and words in s.detail for s in peer.statuses[before:])

    peer.wait_for(named, f"a status with {words!r}")


def transform_of(**changes) -> TransformStamped:
    transform = TransformStamped(child_frame_id="wheel")
    transform.header.frame_id, transform.transform.rotation.w = "base", 1.0
    for path, value in changes.items():
        *parts, last = path.split("__")
        setattr(functools.reduce(getattr, parts, transform), last, value)
    return transform


@pytest.mark.parametrize("topic", ["/tf", "/tf_static"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"header__stamp__sec": -5}, "stamped -5 s"),
        ({"transform__rotation__w": 0.0}, "norm above zero"),
        ({"transform__rotation__w": float("nan")}, "finite"),
        ({"transform__translation__x": float("inf")}, "finite"),
        ({"child_frame_id": "/"}, "no name"),
    ],
    ids=["before time", "no rotation", "nan", "infinite", "nameless"],
)
def test_a_transform_that_is_none_costs_itself_and_is_told(peer, node, topic, changes, words):
    diagnostics, before = peer.listen_to_diagnostics(), len(peer.statuses)
    publisher = peer.publisher(
        TFMessage, topic, QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    )
    bad = transform_of(**changes)

    def told() -> bool:
        publisher.publish(TFMessage(transforms=[bad]))
        peer.publish_image(view(5))
        time.sleep(0.05)
        return any(publishing(s) and "is ignored" in s.detail for s in peer.statuses[before:])

    peer.wait_for(told, "the status")

    def ignored() -> bool:
        publisher.publish(TFMessage(transforms=[bad]))
        time.sleep(0.1)
        return any(v.key == "ignored" and words in v.value for d in diagnostics for v in d.values)

    peer.wait_for(ignored, "the diagnostic")


def test_the_resolution_may_change_in_the_stream(peer):
    small = Camera("pinhole", 320, 240, 250.0, 250.0, 159.5, 119.5)
    before = len(peer.statuses)

    def tracked() -> bool:
        peer.publish_camera(small)
        peer.publish_image(view(5, 320, 240))
        time.sleep(0.05)
        # The old camera_info may still be in use for some images: they are refused, never localized by it.
        return any(publishing(s) and s.keypoints for s in peer.statuses[before + 5 :])

    peer.wait_for(tracked, "tracking at the new size")
    new = [s for s in peer.statuses[before:] if not publishing(s)]
    assert {s.reason for s in new} <= {"bad_camera_info", "confirming", "stamp_not_newer"}


def test_another_publisher_that_dies_in_the_middle_changes_nothing(peer):
    for _ in range(3):
        with contextlib.closing(Peer()) as camera:
            camera.publish_image(view(5))
        peer.show(view(5), publishing)


def test_stamps_that_jump_back_and_forth_are_named_and_then_followed(peer):
    before = len(peer.statuses)
    offset_s, sent = -3600, 0

    def tracked() -> bool:
        nonlocal sent
        message = image_of(peer)
        stamp = peer.stamp()
        stamp.sec += offset_s
        message.header.stamp = stamp
        peer.publisher(Image, "/image").publish(message)
        sent += 1
        time.sleep(0.05)
        return any(publishing(s) and s.header.stamp.sec < stamp.sec + 1000 for s in peer.statuses[before:])

    peer.wait_for(tracked, "tracking an hour ago")
    assert any(s.reason == "stamp_not_newer" for s in peer.statuses[before:])


STORM = """
import rclpy
from reloc_ros.msg import KeypointArray
from sensor_msgs.msg import CompressedImage, Image
from visualization_msgs.msg import MarkerArray

TYPES = {
    "keypoints": KeypointArray,
    "markers": MarkerArray,
    "debug_image": Image,
    "debug_image/compressed": CompressedImage,
}
rclpy.init()
node = rclpy.create_node("storm")
heard = 0

def hear(_):
    global heard
    heard += 1

def subscribe():
    return [node.create_subscription(kind, f"/reloc/{name}", hear, 1) for name, kind in TYPES.items() for _ in range(4)]

for _ in range(6):  # come and go, mostly before anything can be heard
    subscriptions = subscribe()
    for _ in range(20):
        rclpy.spin_once(node, timeout_sec=0.02)
    for subscription in subscriptions:
        node.destroy_subscription(subscription)
subscribe()  # and stay until the node has answered, however long discovery takes
while not heard:
    rclpy.spin_once(node, timeout_sec=0.1)
print(heard)
"""


def test_a_storm_of_listeners_to_debug_topics_leaves_the_poses_alone(peer, node):
    before, published = len(peer.statuses), len(peer.poses)
    with subprocess.Popen([sys.executable, "-c", STORM], stdout=subprocess.PIPE, text=True) as storm:

        def over() -> bool:
            peer.publish_image(view(5))
            time.sleep(0.05)
            return storm.poll() is not None and len(peer.statuses) > before + 20

        try:
            peer.wait_for(over, "the end of the storm, and statuses", 120)
        finally:
            storm.kill()
        assert int(storm.stdout.read()) > 0
    statuses = peer.statuses[before:]
    assert len(statuses) > 20
    assert all(publishing(status) for status in statuses)
    peer.wait_for(lambda: len(peer.poses) > published + 20, "their poses")
