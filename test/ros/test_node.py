"""The node as a process, over DDS."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from node_process import DEADLINE_S, EXECUTABLE, FRAME, Peer, camera_info, lost_because, tracking
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from reloc_ros.msg import RelocStatus
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from table_bundle import CAMERA, POSES, camera_from_map, view

from reloc_ros.geometry import center_error
from reloc_ros.ros.conversions import se3_from_transform


def nanoseconds(stamp) -> int:
    return Time.from_msg(stamp).nanoseconds


def test_states_follow_the_images_from_lost_to_tracking_and_back(start_node, peer):
    start_node(silence_timeout_s=5.0)
    peer.show(view(5), tracking)
    peer.show(view(0), lambda s: s.state == RelocStatus.DEGRADED)
    peer.show(view(0), lost_because("no_keypoints"))
    poses = len(peer.poses)
    confirming = peer.show(view(5), lost_because("confirming"))
    assert not confirming.pose_published
    peer.show(view(5), tracking)
    assert len(peer.poses) > poses or peer.wait_for(lambda: len(peer.poses) > poses, "a pose") is None


def test_a_single_wild_pose_is_withheld_and_a_second_one_is_a_camera_that_was_carried_away(start_node, peer):
    start_node(lost_after=10, silence_timeout_s=5.0)

    def status_of(index: int) -> RelocStatus:
        stamp = peer.publish_image(view(index)).header.stamp
        return peer.wait_for_status(lambda s: s.header.stamp == stamp, "the image's result")

    peer.show(view(5), tracking)
    wild = status_of(POSES - 1)
    assert (wild.state, wild.reason) == (RelocStatus.DEGRADED, "implausible_motion")
    assert tracking(status_of(5))
    assert all(abs(p.pose.position.x) < 1 for p in peer.poses)
    assert not status_of(POSES - 1).pose_published
    found = status_of(POSES - 1)
    assert (found.state, found.pose_published) == (RelocStatus.TRACKING, True)
    peer.wait_for(lambda: peer.poses[-1].header.stamp == found.header.stamp, "the pose")
    assert peer.poses[-1].pose.position.x > 40


def test_status_is_latched_and_says_what_the_node_waits_for(start_node, peer):
    start_node()
    peer.wait_for_status(lost_because("waiting_for_image"))
    late = Peer()
    try:
        late.wait_for_status(lost_because("waiting_for_image"))
        late.publish_image(view(5))
        late.wait_for_subscriber(Image, "/image")
        while not any(lost_because("waiting_for_camera_info")(s) for s in late.statuses):
            late.publish_image(view(5))
            time.sleep(0.05)
        # It may come late.
        late.show(view(5), tracking)
    finally:
        late.close()


def test_a_node_that_has_no_pose_logs_why_after_a_second_and_each_reason_rarely(start_node, peer):
    node = start_node(remap={"image": "/front/image"})

    def told() -> list[str]:
        return [line for line in node.output.splitlines() if "no pose for" in line]

    def reasons() -> list[str]:
        return [re.search(r"\((\w+)\):", line)[1] for line in told()]

    def shown(pixels: np.ndarray) -> None:
        peer.publish_image(pixels, topic="/front/image")
        time.sleep(0.1)

    peer.wait_for(told, "the reason")
    assert (
        "WARN" in told()[0] and "(waiting_for_image): no image has arrived on /front/image yet" in told()[0]
    )
    peer.wait_for(lambda: shown(view(5)) or "waiting_for_camera_info" in reasons(), "the next reason")
    assert any("nothing has arrived on /camera_info yet" in line for line in told())

    def localized(pixels: np.ndarray) -> None:
        peer.publish_camera()
        shown(pixels)

    peer.wait_for(lambda: localized(view(0)) or "no_keypoints" in reasons(), "the localizer's reason")
    assert any("(no_keypoints): no landmark of the map" in line for line in told())
    for _ in range(20):
        shown(view(0))
    peer.wait_for(lambda: shown(view(5)) or tracking(peer.statuses[-1]), "tracking")
    assert len(set(reasons())) == len(reasons())


def test_camera_killed_and_restarted_goes_lost_and_comes_back(start_node, peer):
    start_node(silence_timeout_s=0.5)
    with contextlib.closing(Peer()) as camera:
        camera.show(view(5), tracking)
    peer.wait_for_status(lost_because("images_stopped"))
    poses = len(peer.poses)
    time.sleep(0.5)
    assert len(peer.poses) == poses
    with contextlib.closing(Peer()) as camera:
        camera.show(view(5), lost_because("confirming"))
        camera.show(view(5), tracking)


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_either_reliability_of_the_publisher_is_understood(start_node, reliability):
    node = start_node()
    peer = Peer(reliability=reliability)
    try:
        # Small enough for the default transport to carry it by best effort.
        small = CAMERA.resized(160, 120)
        peer.wait_for_subscriber(Image, "/image")

        def subscribed() -> bool:
            infos = peer.node.get_subscriptions_info_by_topic("/image")
            return bool(infos) and infos[0].qos_profile.reliability == reliability

        peer.wait_for(subscribed, f"a {reliability.name} subscription")
        deadline_s = time.monotonic() + DEADLINE_S
        while not any(tracking(s) for s in peer.statuses):
            assert time.monotonic() < deadline_s, node.output
            peer.publish_camera(small)
            peer.publish_image(view(5, 160, 120))
            time.sleep(0.05)
    finally:
        peer.close()


def test_camera_info_published_once_and_latched_before_the_node_is_heard(start_node, peer):
    profile = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    peer.publisher(CameraInfo, "/camera_info", profile).publish(camera_info(CAMERA))
    start_node()
    peer.wait_for_subscriber(Image, "/image")
    deadline_s = time.monotonic() + DEADLINE_S
    while not any(tracking(s) for s in peer.statuses):
        assert time.monotonic() < deadline_s, peer.statuses[-1:]
        peer.publish_image(view(5))
        time.sleep(0.05)


def test_compressed_images_need_only_the_transport_parameter(start_node, peer):
    import cv2

    start_node(image_transport="compressed", remap={"image": "/front/image_raw"})
    data = cv2.imencode(".jpg", view(5))[1].tobytes()
    peer.wait_for_subscriber(CompressedImage, "/front/image_raw/compressed")
    deadline_s = time.monotonic() + DEADLINE_S
    while not any(tracking(s) for s in peer.statuses):
        assert time.monotonic() < deadline_s, peer.statuses[-1:]
        message = CompressedImage(format="jpeg")
        message.header.stamp = peer.stamp()
        message.data.frombytes(data)
        peer.publish_camera()
        peer.publisher(CompressedImage, "/front/image_raw/compressed").publish(message)
        time.sleep(0.05)


def test_bundle_camera_needs_no_camera_info(start_node, peer):
    start_node(camera_source="bundle")
    peer.wait_for_subscriber(Image, "/image")
    deadline_s = time.monotonic() + DEADLINE_S
    while not any(tracking(s) for s in peer.statuses):
        assert time.monotonic() < deadline_s, peer.statuses[-1:]
        peer.publish_image(view(5, 320, 240))
        time.sleep(0.05)


def test_tf_can_be_turned_round_or_off(start_node, peer):
    node = start_node(tf_inverse=True, camera_frame="eye")
    # The first transforms may go out before the peer is known as their subscriber.
    peer.show(view(5), lambda status: tracking(status) and peer.tf.can_transform("map", "eye", Time()))
    map_from_eye = se3_from_transform(peer.tf.lookup_transform("map", "eye", Time()).transform)
    assert center_error(map_from_eye.inverse(), camera_from_map(5)) < 1e-5
    assert node.stop() == 0

    other = Peer()
    try:
        start_node(tf_mode="none")
        other.show(view(5), tracking)
        other.wait_for(lambda: other.poses, "a pose")
        assert not other.tf.can_transform("map", FRAME, Time())
    finally:
        other.close()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"bundle": ""}, "parameter bundle is not set"),
        ({"bundle": "/nowhere"}, "/nowhere is not a folder"),
        ({"backend": "magic"}, "parameter backend must be one of auto, torch, onnx"),
        ({"precision": "fp64"}, "parameter precision must be one of auto, fp32"),
        ({"precision": "fp16"}, "backend onnx has no precision fp16; use auto, fp32"),
        ({"precision": "int8"}, "int8"),
        ({"tf_mode": "map_moon"}, "parameter tf_mode must be one of none, map_camera"),
        ({"image_queue_depth": 0}, "parameter image_queue_depth must be a int from 1 to 100"),
        ({"silence_timeout_s": "soon"}, "parameter silence_timeout_s must be a float"),
        ({"camera_source": "file"}, "camera_info_file goes with camera_source file"),
        ({"camera_source": "file", "camera_info_file": "/nowhere.yaml"}, "/nowhere.yaml"),
    ],
)
def test_a_wrong_set_up_ends_with_one_sentence_and_code_2(start_node, parameters, words):
    node = start_node(**parameters)
    assert node.exit_code() == 2, node.output
    lines = [line for line in node.output.splitlines() if line]
    assert len(lines) == 1, node.output
    assert lines[0].startswith("reloc_node: ")
    assert words in lines[0]


def test_a_damaged_bundle_and_a_broken_parameter_file_end_with_code_2(start_node, table_bundle, tmp_path):
    import shutil

    damaged = tmp_path / "damaged"
    shutil.copytree(table_bundle, damaged)
    model = damaged / "network.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    node = start_node(bundle=str(damaged))
    assert node.exit_code() == 2
    assert "network.onnx" in node.output
    assert "Traceback" not in node.output

    file = tmp_path / "params.yaml"
    file.write_text("reloc: {ros__parameters: [1, 2]}\n")
    node = start_node(arguments=("--params-file", str(file)))
    assert node.exit_code() == 2
    assert "Traceback" not in node.output


@pytest.mark.parametrize("numbers", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_signals_end_the_node_cleanly_at_work(start_node, peer, numbers):
    node = start_node()
    peer.show(view(5), tracking)
    for number in numbers:
        node.signal(number)
        time.sleep(0.05)
    assert node.exit_code() == 0, node.output
    assert "Traceback" not in node.output


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 0.6, 1.0])
def test_a_signal_while_starting_ends_the_node_cleanly(start_node, delay_s):
    node = start_node()
    node.wait_for_its_code()
    time.sleep(delay_s)
    node.signal(signal.SIGINT)
    assert node.exit_code() == 0, node.output
    assert "Traceback" not in node.output


@pytest.mark.parametrize(
    ("executable", "module"),
    [("reloc_node", "reloc_ros.ros.node"), ("demo_camera", "reloc_ros.demo.ros.camera")],
)
def test_a_signal_while_a_library_is_loaded_ends_it_cleanly(tmp_path, executable, module):
    """A library that is being loaded takes what a handler raises for a fault of its own."""
    file = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(parents=True)
    for folder in file.relative_to(tmp_path).parents[:-1]:
        (tmp_path / folder / "__init__.py").touch()
    file.write_text(
        "import os, signal, time\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(10)\n"
        "except BaseException as error:\n    raise ImportError('initialization failed') from error\n"
    )
    run = subprocess.run(
        [sys.executable, EXECUTABLE.with_name(executable)],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_newest_image_wins_and_every_image_is_accounted_for(start_node, peer):
    start_node(silence_timeout_s=0.5)
    peer.show(view(5), tracking)
    for i in range(60):
        peer.publish_image(view(5 + i % 2))
        time.sleep(0.002)

    def all_accounted_for() -> bool:
        last = peer.statuses[-1]
        accounted = last.frames_localized + last.frames_lost + last.frames_dropped
        return last.reason == "images_stopped" and last.frames_received == accounted

    peer.wait_for(all_accounted_for, "the account of every image")
    ages = [nanoseconds(p.header.stamp) for p in peer.poses]
    assert ages == sorted(ages)


def test_status_message_numbers_are_those_of_the_state_machine():
    from reloc_ros.stream.status import State

    assert {s.name: s.value for s in State} == {
        name: getattr(RelocStatus, name) for name in ("LOST", "DEGRADED", "TRACKING")
    }
    assert json.dumps(RelocStatus().state) == "0"


def test_the_embedded_map_is_not_found_in_noise(start_node, peer):
    import reloc_ros.demo

    bundle = Path(reloc_ros.demo.__file__).parent / "bundle"
    if not bundle.is_dir():
        pytest.skip(f"{bundle} is not made yet")
    start_node(bundle=str(bundle), camera_source="bundle")
    rng = np.random.default_rng(0)
    from reloc_ros.bundle import Bundle

    camera = Bundle.load(bundle).camera
    peer.wait_for_subscriber(Image, "/image")
    while sum(status.frames_lost > 0 for status in peer.statuses) < 10:
        peer.publish_image(rng.integers(0, 256, (camera.height, camera.width, 3), dtype=np.uint8))
        time.sleep(0.1)
    assert peer.poses == []
