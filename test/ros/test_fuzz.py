"""Anything that a topic or a service can carry, sent to a node at work: it lives, tells, and localizes what comes next.

FUZZ_MESSAGES in the environment makes it longer, and random.
"""

from __future__ import annotations

import array
import collections
import os
import time

import cv2
import pytest
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from node_process import DEADLINE_S, FRAME, NodeProcess, Peer, camera_info, publishing
from odd_messages import odd
from rclpy.qos import DurabilityPolicy, QoSProfile
from reloc_ros.srv import LoadBundle, Relocalize
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Empty, SetBool
from table_bundle import CAMERA, make_table_bundle, view
from tf2_msgs.msg import TFMessage

from reloc_ros.ros.conversions import image_from_pixels

MESSAGES = int(os.environ.get("FUZZ_MESSAGES", "200"))
GOOD_EVERY_S = 2.0
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
JPEG = array.array("B", cv2.imencode(".png", view(5))[1].tobytes())


def good_transforms(peer: Peer) -> TFMessage:
    frames = ("odom", "base_link"), ("base_link", FRAME)
    transforms = [TransformStamped(child_frame_id=child) for _, child in frames]
    for transform, (parent, _) in zip(transforms, frames, strict=True):
        transform.header.frame_id, transform.header.stamp = parent, peer.stamp()
        transform.transform.rotation.w = 1.0
    return TFMessage(transforms=transforms)


def good_pose(peer: Peer) -> PoseWithCovarianceStamped:
    pose = PoseWithCovarianceStamped()
    pose.header.frame_id, pose.header.stamp, pose.pose.pose.orientation.w = "map", peer.stamp(), 1.0
    return pose


def good_image(peer: Peer) -> Image:
    message = image_from_pixels(view(5), camera_info(CAMERA, peer.stamp()).header)
    message.header.frame_id = FRAME
    return message


def good_compressed(peer: Peer) -> CompressedImage:
    return CompressedImage(header=good_image(peer).header, format="png", data=JPEG)


TOPICS = {
    "/image": (good_image, 5),
    "/image/compressed": (good_compressed, 5),
    "/camera_info": (lambda peer: camera_info(CAMERA, peer.stamp()), 5),
    "/tf": (good_transforms, 100),
    "/tf_static": (good_transforms, LATCHED),
    "/initialpose": (good_pose, 1),
    "/amcl_pose": (good_pose, LATCHED),
}
SERVICES = {
    "/reloc/relocalize": Relocalize,
    "/reloc/load_bundle": LoadBundle,
    "/reloc/set_pose_publishing": SetBool,
    "/reinitialize_global_localization": Empty,
}


class Fuzzed:
    """One node, and what was sent to it."""

    def __init__(self, node: NodeProcess, peer: Peer, image_topic: str) -> None:
        self.node, self.peer, self.sent = node, peer, collections.Counter()
        self.topics = [topic for topic in TOPICS if not topic.startswith("/image") or topic == image_topic]
        self._image_topic = image_topic
        self.clients = {name: peer.node.create_client(kind, name) for name, kind in SERVICES.items()}
        self._last = collections.deque(maxlen=20)

    def publish(self, topic: str, message) -> None:
        make, profile = TOPICS[topic]
        kind = type(make(self.peer))
        profile = profile if isinstance(profile, QoSProfile) else QoSProfile(depth=profile)
        self.peer.publisher(kind, topic, profile).publish(message)

    def send(self, data: st.DataObject) -> None:
        topic = data.draw(st.sampled_from(self.topics))
        message = data.draw(odd(TOPICS[topic][0](self.peer)))
        self._last.append((topic, str(message)[:300]))
        self.sent[f"{topic} {'bytes' if isinstance(message, bytes) else 'fields'}"] += 1
        self.publish(topic, message)

    def ask(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(list(SERVICES)))
        request = data.draw(odd(SERVICES[name].Request()).filter(lambda it: not isinstance(it, bytes)))
        self._last.append((name, str(request)))
        self.sent[name] += 1
        self.clients[name].call_async(request)

    def must_live(self) -> None:
        told = "\n".join(map(str, self._last))
        assert self.node.process.poll() is None, f"{self.node.output}\nafter\n{told}"

    def must_localize(self) -> None:
        """The next good images, once poses are wanted again."""
        self.peer.call(SetBool, "/reloc/set_pose_publishing", data=True)
        before, until_s = len(self.peer.statuses), time.monotonic() + DEADLINE_S
        while not any(map(publishing, self.peer.statuses[before:])):
            self.must_live()
            assert time.monotonic() < until_s, f"{self.peer.statuses[-1]}\nafter\n{list(self._last)}"
            self.publish("/camera_info", camera_info(CAMERA, self.peer.stamp()))
            self.publish(self._image_topic, TOPICS[self._image_topic][0](self.peer))
            time.sleep(0.05)

    def must_tell(self, reason: str, *messages: tuple[str, object]) -> None:
        """Of messages, in the status."""
        before = len(self.peer.statuses)
        self._until(lambda: any(it.reason == reason for it in self.peer.statuses[before:]), reason, messages)

    def must_log(self, words: str, *messages: tuple[str, object]) -> None:
        self._until(lambda: words in self.node.output, words, messages)

    def _until(self, told, what: str, messages) -> None:
        """Send messages until they are told: a fast sender's are not all looked at."""
        until_s = time.monotonic() + DEADLINE_S
        while not told():
            self.must_live()
            assert time.monotonic() < until_s, f"{what} was not told: {self.node.output}"
            for topic, message in messages:
                if hasattr(message, "header"):
                    message.header.stamp = self.peer.stamp()
                self.publish(topic, message)
            time.sleep(0.05)

    def bad_image(self) -> tuple[str, object]:
        image = TOPICS[self._image_topic][0](self.peer)
        image.data = image.data[:40]
        return self._image_topic, image

    def good_image(self) -> tuple[str, object]:
        return self._image_topic, TOPICS[self._image_topic][0](self.peer)


def bad_camera_info(peer: Peer) -> tuple[str, object]:
    info = camera_info(CAMERA, peer.stamp())
    info.k[0] = float("nan")
    return "/camera_info", info


@pytest.fixture(params=["raw", "compressed"])
def fuzzed(request, tmp_path):
    bundle = make_table_bundle(tmp_path / "table", scale="metric").path
    given = {
        "bundle": str(bundle),
        "backend": "onnx",
        "image_transport": request.param,
        "silence_timeout_s": 5.0,
    }
    given |= {"tf_mode": "map_odom", "publish_initial_pose": True, "take_initial_pose": True}
    node, peer = NodeProcess(given, {}, (), tmp_path / "node.log"), Peer()
    try:
        yield Fuzzed(node, peer, "/image" if request.param == "raw" else "/image/compressed")
        assert node.stop() == 0, node.output
        assert "Traceback" not in node.output
    finally:
        node.kill()
        peer.close()


def test_the_node_lives_tells_and_localizes_the_next_good_image_whatever_is_sent(fuzzed):
    fuzzed.peer.stop_listening("/tf", "/tf_static")  # which are not for this process
    fuzzed.must_localize()
    rss_mb, good_s = fuzzed.node.rss_mb, [time.monotonic()]

    @settings(
        max_examples=MESSAGES,
        deadline=None,
        database=None,
        derandomize="FUZZ_MESSAGES" not in os.environ,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def send(data: st.DataObject) -> None:
        if data.draw(st.integers(0, 15)):
            fuzzed.send(data)
        else:
            fuzzed.ask(data)
        fuzzed.must_live()
        if time.monotonic() > good_s[-1] + GOOD_EVERY_S:
            fuzzed.must_localize()
            good_s.append(time.monotonic())

    send()
    fuzzed.must_localize()
    fuzzed.must_tell("bad_image", fuzzed.bad_image())
    fuzzed.must_tell("bad_camera_info", bad_camera_info(fuzzed.peer), fuzzed.good_image())
    fuzzed.must_log("is ignored", ("/tf", TFMessage(transforms=[TransformStamped()])))
    fuzzed.must_log("is not used", ("/initialpose", PoseWithCovarianceStamped()))
    fuzzed.must_localize()
    reasons = collections.Counter(status.reason for status in fuzzed.peer.statuses)
    print(
        sum(fuzzed.sent.values()),
        dict(fuzzed.sent),
        dict(reasons),
        f"{rss_mb:.0f} -> {fuzzed.node.rss_mb:.0f} MB",
    )
    assert not reasons["image_failed"], fuzzed.node.output  # of which five in a row end it
    assert fuzzed.node.rss_mb < rss_mb + 100
