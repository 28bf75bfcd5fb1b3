"""The services and the parameters that change while the node works, in one process."""

from __future__ import annotations

import shutil
import threading
import time

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from node_process import FRAME, Peer, publishing
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from reloc_ros.msg import RelocStatus
from reloc_ros.srv import LoadBundle, Relocalize
from std_srvs.srv import SetBool
from table_bundle import camera_from_map, make_table_bundle, view
from tf2_msgs.msg import TFMessage

from reloc_ros.io.manifest import read_manifest, write_manifest
from reloc_ros.ros.control.relocalize_requests import RelocalizeRequests
from reloc_ros.stream.status import State, Verdict


class Camera:
    """Sends one image over and over, in the background."""

    def __init__(self, peer: Peer, pixels: np.ndarray) -> None:
        self.pixels, self._peer = pixels, peer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        while not self._ended.wait(0.05):
            self._peer.publish_camera()
            self._peer.publish_image(self.pixels)

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture
def camera(peer):
    camera = Camera(peer, view(5))
    yield camera
    camera.stop()


def test_services_answer_with_what_is_so(start_node, peer, camera, tmp_path):
    node = start_node(silence_timeout_s=5.0)
    peer.wait_for_status(publishing)

    # relocalize answers with the pose that the next images gave ...
    answer = peer.call(Relocalize, "/reloc/relocalize")
    assert (answer.success, answer.reason) == (True, "")
    assert answer.images >= 2
    p = answer.pose.pose.pose.position
    np.testing.assert_allclose([p.x, p.y, p.z], camera_from_map(5).center, atol=1e-5)
    assert any(status.reason == "relocalizing" for status in peer.statuses)
    assert any(status.reason == "confirming" for status in peer.statuses[-20:])
    # ... or with why there is none.
    camera.pixels = view(0)
    peer.wait_for(lambda: peer.statuses[-1].reason == "no_keypoints", "another place")
    answer = peer.call(Relocalize, "/reloc/relocalize", timeout_s=3.0)
    assert (answer.success, answer.reason) == (False, "no_keypoints")
    assert answer.detail
    camera.pixels = view(5)
    peer.wait_for(lambda: publishing(peer.statuses[-1]), "tracking")

    # Poses can be withheld; the status goes on.
    assert peer.call(SetBool, "/reloc/set_pose_publishing", data=False).success
    peer.wait_for(lambda: peer.statuses[-1].reason == "publishing_off", "the withheld pose")
    poses = len(peer.poses)
    withheld = peer.next_statuses(5)
    assert {(s.state, s.pose_published, s.transform) for s in withheld} == {
        (RelocStatus.TRACKING, False, "publishing_off")
    }
    assert len(peer.poses) == poses
    assert peer.call(SetBool, "/reloc/set_pose_publishing", data=True).success
    peer.wait_for(lambda: len(peer.poses) > poses, "poses again")

    # A bad bundle changes nothing; a good one is used from then on; images go on coming all the time.
    wrong = peer.call(LoadBundle, "/reloc/load_bundle", bundle="/nowhere")
    assert not wrong.success
    assert "/nowhere is not a folder" in wrong.message
    assert wrong.scale_known
    damaged = tmp_path / "damaged"
    shutil.copytree(make_table_bundle(tmp_path / "other", scale="unknown").path, damaged)
    (damaged / "network.onnx").write_bytes(b"no network")
    wrong = peer.call(LoadBundle, "/reloc/load_bundle", bundle=str(damaged))
    assert not wrong.success
    assert "network.onnx" in wrong.message
    peer.wait_for(lambda: publishing(peer.statuses[-1]), "the old map at work")
    assert peer.statuses[-1].scale_known
    right = peer.call(LoadBundle, "/reloc/load_bundle", bundle=str(tmp_path / "other"))
    assert (right.success, right.scale_known) == (True, False)
    peer.wait_for(
        lambda: publishing(peer.statuses[-1]) and not peer.statuses[-1].scale_known, "the new map at work"
    )
    assert any(status.reason == "new_map" for status in peer.statuses)

    assert node.stop() == 0
    assert "Traceback" not in node.output


def test_an_image_that_was_judged_before_a_request_is_no_answer_to_it():
    context = Context()
    rclpy.init(context=context)
    node, executor = Node("asked", context=context), SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        requests = RelocalizeRequests(node)
        early = requests.add(60.0)
        asked = requests.asked()
        late = requests.add(60.0)
        requests.image(asked, Verdict(State.TRACKING, True, "", ""), PoseWithCovarianceStamped())
        assert (early.done(), late.done()) == (True, False)
        requests.image(requests.asked(), Verdict(State.LOST, False, "no_keypoints", "black"), None)
        requests.close()
        assert (late.result().pose, late.result().reason, late.result().images) == (None, "no_keypoints", 1)
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()


def test_a_map_without_metres_is_refused_where_transforms_need_them(start_node, peer, tmp_path):
    start_node(tf_mode="map_base")
    peer.wait_for_status(lambda s: s.reason == "waiting_for_image")
    unknown = make_table_bundle(tmp_path / "unknown", scale="unknown").path
    answer = peer.call(LoadBundle, "/reloc/load_bundle", bundle=str(unknown))
    assert not answer.success
    assert "map in metres" in answer.message
    assert answer.scale_known


def test_services_say_so_when_the_node_is_not_ready(start_node, peer):
    start_node(autostart=False)
    answer = peer.call(Relocalize, "/reloc/relocalize")
    assert (answer.success, answer.reason) == (False, "not_active")
    assert "configure it first" in peer.call(LoadBundle, "/reloc/load_bundle", bundle="/x").message
    assert "configure it first" in peer.call(SetBool, "/reloc/set_pose_publishing", data=True).message
    assert peer.change("configure")
    assert peer.change("activate")
    # Nobody hangs when the node is deactivated meanwhile.
    answers = []
    asker = threading.Thread(
        target=lambda: answers.append(peer.call(Relocalize, "/reloc/relocalize", timeout_s=60.0))
    )
    asker.start()
    peer.wait_for_status(lambda s: s.reason == "relocalizing")
    assert peer.change("deactivate")
    asker.join(30)
    assert (answers[0].success, answers[0].reason) == (False, "waiting_for_image")


def test_thresholds_and_the_rate_limit_change_at_work(start_node, peer, camera):
    start_node(silence_timeout_s=5.0)
    peer.wait_for_status(publishing)
    assert peer.set_parameter("tracking_after", 4) == (True, "")
    camera.pixels = view(0)
    peer.wait_for(lambda: peer.statuses[-1].reason == "no_keypoints", "another place")
    peer.wait_for(lambda: peer.statuses[-1].state == RelocStatus.LOST, "lost")
    before = len(peer.statuses)
    camera.pixels = view(5)
    peer.wait_for(lambda: publishing(peer.statuses[-1]), "tracking")
    # By the counter: a status may be overtaken by the next one before it is heard.
    found = next(status for status in peer.statuses[before:] if publishing(status))
    assert found.frames_localized - peer.statuses[before - 1].frames_localized == 4
    assert any("of 4 consistent poses" in status.detail for status in peer.statuses[before:])
    assert peer.set_parameter("max_rate_hz", 2.0) == (True, "")
    first = peer.statuses[-1]
    start_s = time.monotonic()
    peer.wait_for(lambda: peer.statuses[-1].frames_received >= first.frames_received + 40, "40 images")
    elapsed_s = time.monotonic() - start_s
    last = peer.statuses[-1]
    looked_at = last.frames_localized + last.frames_lost - first.frames_localized - first.frames_lost
    assert looked_at <= 2.0 * elapsed_s + 3
    assert last.frames_skipped >= 40 - looked_at - 3
    refused, reason = peer.set_parameter("max_rate_hz", -1.0)
    assert not refused
    assert reason


def test_another_map_with_another_frame_takes_map_odom_over(start_node, peer, camera, tmp_path):
    """What the node itself sent for the map before is not another node's, which would keep odom from it."""
    transforms = peer.listen(TFMessage, "/tf", 1000)
    start_node(tf_mode="map_odom", republish_rate_hz=100.0, silence_timeout_s=5.0)
    standing = TransformStamped(child_frame_id=FRAME)
    standing.header.frame_id, standing.transform.rotation.w = "odom", 1.0
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    peer.publisher(TFMessage, "/tf_static", latched).publish(TFMessage(transforms=[standing]))
    peer.wait_for(lambda: transforms, "map -> odom")
    other = make_table_bundle(tmp_path / "upstairs").path
    write_manifest(other, read_manifest(other) | {"frame": "upstairs"})
    home = make_table_bundle(tmp_path / "home").path
    for bundle, frame in ((other, "upstairs"), (home, "map")):  # there, and back
        before = len(peer.statuses)
        answer = peer.call(LoadBundle, "/reloc/load_bundle", bundle=str(bundle))
        assert answer.success, answer.message
        start_s = time.monotonic()
        peer.wait_for(lambda frame=frame: parents(transforms[-1]) == {frame}, f"{frame} -> odom")
        assert time.monotonic() - start_s < 5
        count = len(transforms)
        peer.wait_for(lambda count=count: len(transforms) > count + 20, "more of them")
        assert set.union(*map(parents, transforms[count:])) == {frame}
        assert "parent_present" not in {status.transform for status in peer.statuses[before:]}


def parents(message: TFMessage) -> set[str]:
    return {
        transform.header.frame_id for transform in message.transforms if transform.child_frame_id == "odom"
    }
