"""Whom the node hears, whom it does not and says so, and when it need not listen at all."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TransformStamped
from node_process import FRAME, Peer, camera_info, publishing
from rclpy.duration import Duration
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from reloc_ros.msg import KeypointArray
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from table_bundle import CAMERA, camera_from_map, view
from tf2_msgs.msg import TFMessage

from reloc_ros.cameras import Camera

POSES = ("pose", "pose_with_covariance")
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


def test_a_quality_of_service_that_does_not_fit_is_named(start_node, peer):
    node = start_node(image_reliability="reliable")
    peer.wait_for_status(lambda s: s.reason == "waiting_for_image")
    peer.publisher(Image, "/image", BEST_EFFORT)
    peer.wait_for(lambda: "best_effort" in node.output, "the warning")
    (warning,) = [line for line in node.output.splitlines() if "best_effort" in line]
    for word in (
        "WARN",
        "/image is published by /peer",
        "reliable is asked for",
        "image_reliability to auto",
    ):
        assert word in warning
    diagnostics = peer.listen_to_diagnostics()
    peer.wait_for(lambda: any("/peer" in d.message for d in diagnostics), "the diagnostic")
    assert diagnostics[-1].level == b"\x02"
    assert peer.poses == []


def test_a_topic_of_another_type_is_named(start_node, peer):
    node = start_node()
    peer.wait_for_status(lambda s: s.reason == "waiting_for_image")
    peer.publisher(CompressedImage, "/image")
    peer.wait_for(lambda: "CompressedImage" in node.output, "the warning")
    assert "sensor_msgs/msg/Image is needed" in node.output


def test_nobody_listening_means_no_images_and_somebody_means_images_at_once(start_node, peer):
    start_node(only_when_needed=True, tf_mode="none")
    # The peer listens to poses: the node works.
    peer.show(view(5), publishing)
    peer.stop_listening("/reloc/pose", "/reloc/pose_with_covariance")
    peer.wait_for(lambda: peer.node.count_subscribers("/image") == 0, "the end of the subscription")
    # The last status: at its start, too, the node may have said so, and again after an image that was in work.
    peer.wait_for(lambda: peer.statuses[-1].reason == "nobody_listens", "rest")
    peer.wait_until_quiet(peer.statuses)
    received = peer.statuses[-1].frames_received
    for _ in range(10):
        peer.publish_image(view(5))
        time.sleep(0.02)
    peer.wait_until_quiet(peer.statuses)
    assert peer.statuses[-1].reason == "nobody_listens"
    poses = peer.listen(PoseStamped, "/reloc/pose")
    peer.show(view(5), publishing)
    peer.wait_for(lambda: poses, "a pose")
    assert peer.statuses[-1].frames_received > received


def test_a_node_at_rest_says_so_also_after_the_image_that_was_in_work(start_node, peer):
    wait = {"pose_frame": "base_link", "lookup_timeout_s": 2.0}
    start_node(only_when_needed=True, tf_mode="none", silence_timeout_s=5.0, **wait)

    def moves(status) -> bool:
        """The camera, on its robot: where it will be in a second is known, and no more."""
        soon = peer.node.get_clock().now() + Duration(seconds=1)
        transform = TransformStamped(
            header=Header(stamp=soon.to_msg(), frame_id="base_link"), child_frame_id=FRAME
        )
        peer.publisher(TFMessage, "/tf").publish(TFMessage(transforms=[transform]))
        return publishing(status)

    peer.show(view(5), moves)
    later = peer.node.get_clock().now() + Duration(seconds=30)
    peer.publish_image(view(5), stamp=later.to_msg())
    time.sleep(0.5)  # it is in work now, and waits for the transform
    peer.stop_listening("/reloc/pose", "/reloc/pose_with_covariance")
    peer.wait_for(lambda: peer.statuses[-1].reason == "nobody_listens", "rest")
    peer.wait_until_quiet(peer.statuses, 3.0)
    assert peer.statuses[-1].reason == "nobody_listens"


def test_two_nodes_that_work_when_needed_do_not_keep_each_other_awake(start_node):
    """Both listen to the tree for their own lookups; whoever else does, where the tree is, wakes them."""
    peers = [Peer(namespace=name) for name in ("/left", "/right")]
    try:
        for name in ("left", "right"):
            words = ("-r", f"__ns:=/{name}", "-r", "/tf:=/robot1/tf")
            start_node(only_when_needed=True, camera_frame=f"{name}_camera", arguments=words)
        topics = [f"/{name}/reloc/{pose}" for name in ("left", "right") for pose in POSES]
        for peer in peers:  # it goes on listening to /tf, where this tree is not
            peer.stop_listening(*topics)
        for peer in peers:
            peer.wait_for(
                lambda peer=peer: peer.statuses and peer.statuses[-1].reason == "nobody_listens", "rest"
            )
        before = [len(peer.statuses) for peer in peers]
        time.sleep(1.5)
        assert [len(peer.statuses) for peer in peers] == before
        peers[0].listen(TFMessage, "/robot1/tf", 100)
        for peer in peers:
            peer.wait_for(lambda peer=peer: peer.statuses[-1].reason == "waiting_for_image", "the listener")
    finally:
        for peer in peers:
            peer.close()


@pytest.mark.parametrize(
    ("published", "words"),
    [
        ("/front/image/ffmpeg", "(ffmpeg_image_transport, H.264 or H.265), which this node does not decode"),
        ("/front/image/compressed", "set image_transport to compressed"),
    ],
)
def test_images_in_another_form_are_named_with_what_to_do(start_node, peer, published, words):
    node = start_node(remap={"image": "/front/image"})
    peer.wait_for_status(lambda s: s.reason == "waiting_for_image")
    peer.publisher(CompressedImage, published)
    peer.wait_for(lambda: words in node.output, "the warning")
    diagnostics = peer.listen_to_diagnostics()
    peer.wait_for(lambda: any(words in d.message for d in diagnostics), "the diagnostic")


def test_what_a_mask_covers_is_not_used(start_node, peer, tmp_path):
    mask = np.full((240, 320), 255, np.uint8)  # half of the images' size
    mask[:, 100:] = 0
    cv2.imwrite(str(tmp_path / "robot.png"), mask)
    keypoints = peer.listen(KeypointArray, "/reloc/keypoints")
    start_node(image_mask=str(tmp_path / "robot.png"), min_inliers=4, silence_timeout_s=5.0)
    peer.show(view(5), lambda s: s.keypoints > 0 and bool(keypoints))
    assert all(keypoint.x < 200 for message in keypoints for keypoint in message.keypoints)
    status = peer.show(view(5, 480, 480), lambda s: s.reason == "bad_camera_info")
    assert status.detail


def test_quality_of_service_is_overridden_as_ros_has_it(start_node, peer):
    name = "qos_overrides./reloc/odometry.publisher"  # to which the peer does not listen
    start_node(
        publish_odometry=True,
        arguments=("-p", f"{name}.reliability:=best_effort", "-p", f"{name}.depth:=3"),
    )
    peer.wait_for(lambda: peer.node.count_publishers("/reloc/odometry"), "the publisher")

    def offered() -> bool:
        profiles = [info.qos_profile for info in peer.node.get_publishers_info_by_topic("/reloc/odometry")]
        return [profile.reliability for profile in profiles] == [ReliabilityPolicy.BEST_EFFORT]

    peer.wait_for(offered, "best effort")


def test_quality_of_service_of_what_comes_in_is_overridden_too(start_node, peer):
    """The reliable publisher would else have a reliable listener."""
    names = {
        "/image": "reliability:=best_effort",
        "/camera_info": "depth:=3",
        "/tf": "reliability:=best_effort",
        "/initialpose": "reliability:=best_effort",
    }
    words = [
        word for name, what in names.items() for word in ("-p", f"qos_overrides.{name}.subscription.{what}")
    ]
    start_node(tf_mode="map_camera", take_initial_pose=True, arguments=tuple(words))
    peer.show(view(5), publishing)

    def reliability_of(topic: str) -> set[ReliabilityPolicy]:
        infos = peer.node.get_subscriptions_info_by_topic(topic)
        return {info.qos_profile.reliability for info in infos if info.node_name == "reloc"}

    for topic in ("/image", "/tf", "/initialpose"):
        assert reliability_of(topic) == {ReliabilityPolicy.BEST_EFFORT}
    assert reliability_of("/camera_info") == {ReliabilityPolicy.RELIABLE}


def test_a_reliability_that_is_none_is_a_sentence(start_node):
    node = start_node(arguments=("-p", "qos_overrides./image.subscription.reliability:=some"))
    assert node.exit_code() == 2, node.output
    assert "reliability is reliable or best_effort, got 'some'" in node.output


CALIBRATION = """
image_width: 640
image_height: 480
camera_matrix: {rows: 3, cols: 3, data: [500, 0, 319.5, 0, 500, 239.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
"""


def assert_right(pose: PoseStamped) -> None:
    p, expected = pose.pose.position, camera_from_map(5).center
    np.testing.assert_allclose([p.x, p.y, p.z], expected, atol=1e-4)


def test_a_camera_info_file_stands_for_what_the_driver_says_at_any_resolution(start_node, peer, tmp_path):
    file = tmp_path / "camera.yaml"
    file.write_text(CALIBRATION)
    start_node(camera_source="file", camera_info_file=str(file), silence_timeout_s=5.0)
    wrong = camera_info(Camera("pinhole", 320, 240, 100.0, 100.0, 20.0, 20.0))
    for width, height in ((640, 480), (320, 240)):
        before = len(peer.statuses)

        def tracked(before=before, width=width, height=height) -> bool:
            peer.publisher(CameraInfo, "/camera_info").publish(wrong)
            peer.publish_image(view(5, width, height))
            time.sleep(0.05)
            return any(publishing(s) for s in peer.statuses[before:]) and bool(peer.poses)

        peer.wait_for(tracked, f"tracking at {width}x{height}")
    assert peer.node.count_subscribers("/camera_info") == 0
    for pose in peer.poses:
        assert_right(pose)


def test_an_image_goes_by_the_camera_info_of_its_own_time(start_node, peer):
    """The lens zooms at equal size: what is said of the next image has come before this one."""
    start_node(silence_timeout_s=5.0)
    zoomed = Camera("pinhole", CAMERA.width, CAMERA.height, 400.0, 400.0, CAMERA.cx, CAMERA.cy)
    peer.wait_for_subscriber(CameraInfo, "/camera_info")

    def tracked() -> bool:
        stamp, later = peer.stamp(), peer.stamp()
        for camera, time_of in ((CAMERA, stamp), (zoomed, later)):
            peer.publisher(CameraInfo, "/camera_info").publish(camera_info(camera, time_of))
        time.sleep(0.03)
        peer.publish_image(view(5), stamp=stamp)
        time.sleep(0.03)
        return len(peer.poses) >= 5

    peer.wait_for(tracked, "five poses")
    for pose in peer.poses:
        assert_right(pose)


@pytest.mark.parametrize(("image_rectified", "topic"), [(True, "/front/flat"), ("auto", "/front/image_rect")])
def test_rectified_images_go_by_the_rectified_camera(start_node, peer, image_rectified, topic):
    """K and D are those of the raw images, of another lens and size; P alone is that of the rectified ones."""
    node = start_node(image_rectified=image_rectified, remap={"image": topic}, silence_timeout_s=5.0)
    info = camera_info(CAMERA)
    info.k, info.d = [300.0, 0.0, 300.0, 0.0, 300.0, 200.0, 0.0, 0.0, 1.0], [-0.4, 0.2, 0.01, 0.01, 0.0]
    info.p[3] = -0.1 * CAMERA.fx

    def tracked() -> bool:
        peer.publisher(CameraInfo, "/camera_info").publish(info)
        peer.publish_image(view(5), topic=topic)
        time.sleep(0.05)
        return any(publishing(s) for s in peer.statuses) and bool(peer.poses)

    peer.wait_for(tracked, "tracking")
    for pose in peer.poses:
        assert_right(pose)
    assert node.output.count(f"images of {topic}: taken for rectified, by P of camera_info") == 2
    assert node.output.count("second camera of a pair, 0.100 m beside the first") == 1


def test_two_cameras_are_two_nodes_in_their_namespaces(start_node):
    peers = []
    try:
        for name, index in (("left", 5), ("right", 7)):
            start_node(
                arguments=("-r", f"__ns:=/{name}"), camera_source="bundle", camera_frame=f"{name}_camera"
            )
            peers.append((Peer(namespace=f"/{name}"), name, index))
        for peer, name, _ in peers:
            peer.wait_for_subscriber(Image, f"/{name}/image")
        for peer, name, index in peers:

            def tracked(peer=peer, name=name, index=index) -> bool:
                peer.publish_image(view(index), topic=f"/{name}/image")
                time.sleep(0.05)
                return any(publishing(s) for s in peer.statuses) and bool(peer.poses)

            peer.wait_for(tracked, f"tracking on the {name}")
        for peer, _, index in peers:
            x = {round(pose.pose.position.x, 3) for pose in peer.poses}
            assert x == {round(float(camera_from_map(index).center[0]), 3)}
    finally:
        for peer, _, _ in peers:
            peer.close()


def test_simulated_time_that_jumps_back_is_followed(start_node, peer):
    """A recording that is played in a loop: clock and stamps start over together."""
    start_node(use_sim_time=True)
    clock = peer.publisher(Clock, "/clock")
    now_s = 500.0

    def play_until(condition, what: str) -> None:
        nonlocal now_s

        def played() -> bool:
            nonlocal now_s
            now_s += 0.05
            stamp = Time(seconds=now_s).to_msg()
            clock.publish(Clock(clock=stamp))
            peer.publish_camera()
            peer.publish_image(view(5), stamp=stamp)
            time.sleep(0.05)
            return condition()

        peer.wait_for(played, what)

    play_until(lambda: any(publishing(s) for s in peer.statuses), "tracking")
    age_s = peer.statuses[-1].frame_age_s
    assert -1 < age_s < 10  # by the simulated clock, not by the machine's
    before, now_s = len(peer.statuses), 100.0
    play_until(
        lambda: any(publishing(s) and s.header.stamp.sec < 400 for s in peer.statuses[before:]), "again"
    )
    play_until(
        lambda: any(not s.transform and publishing(s) for s in peer.statuses[before:]), "transforms again"
    )
    # The clock stands still, as when the player is paused: that is no silence.
    last = len(peer.statuses)
    time.sleep(1.5)
    assert all(status.reason != "images_stopped" for status in peer.statuses[last:])
