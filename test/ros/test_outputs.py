"""What the node publishes of a pose beside the pose itself."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from node_process import FRAME, publishing
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from reloc_ros.msg import RelocStatus
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool
from table_bundle import camera_from_map, view
from tf2_msgs.msg import TFMessage

from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.ros.conversions import image_from_pixels, se3_from_pose, transform_from_se3

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BASE_FROM_CAMERA = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0.05, 0.8])


def publish_mount(peer, *others: TransformStamped) -> None:
    transform = TransformStamped(child_frame_id=FRAME, transform=transform_from_se3(BASE_FROM_CAMERA))
    transform.header.frame_id = "base_link"
    peer.publisher(TFMessage, "/tf_static", LATCHED).publish(TFMessage(transforms=[transform, *others]))


def values(diagnostic) -> dict[str, str]:
    return {value.key: value.value for value in diagnostic.values}


def test_poses_of_another_frame_with_its_covariance_odometry_and_smoothing(start_node, peer):
    odometry = peer.listen(Odometry, "/reloc/odometry")
    smoothed = peer.listen(PoseWithCovarianceStamped, "/reloc/pose_smoothed")
    diagnostics = peer.listen_to_diagnostics()
    node = start_node(
        pose_frame="base_link",
        tf_mode="none",
        publish_odometry=True,
        publish_smoothed=True,
        covariance_scale=4.0,
        rotation_sigma_floor=0.02,
    )
    # Where the mount is not known there is no pose, and the status says so.
    missing = peer.show(view(5), lambda s: s.reason == "no_transform")
    assert (missing.state, missing.pose_published) == (RelocStatus.TRACKING, False)
    assert "base_link" in missing.detail
    assert peer.poses == []
    peer.wait_for(lambda: any(d.message == missing.detail for d in diagnostics), "the diagnostic")
    assert {d.level for d in diagnostics if d.message == missing.detail} == {b"\x01"}
    publish_mount(peer)
    for _ in range(5):
        peer.show(view(5), publishing)
    peer.wait_for(lambda: len(odometry) > 2 and len(smoothed) > 2, "all outputs")

    map_from_base = camera_from_map(5).inverse() @ BASE_FROM_CAMERA.inverse()
    for message in (peer.poses_with_covariance[-1], odometry[-1], smoothed[-1]):
        assert message.header.frame_id == "map"
        pose = se3_from_pose(message.pose.pose)
        assert center_error(pose.inverse(), map_from_base.inverse()) < 1e-4
        assert rotation_error_deg(pose, map_from_base) < 0.01
    assert odometry[-1].child_frame_id == "base_link"
    covariance = np.reshape(peer.poses_with_covariance[-1].pose.covariance, (6, 6))
    np.testing.assert_allclose(np.sqrt(np.diag(covariance))[3:], 0.02)
    assert np.linalg.eigvalsh(covariance)[0] > 0
    twist = odometry[-1].twist
    assert abs(twist.twist.linear.x) < 0.1
    assert np.all(np.linalg.eigvalsh(np.reshape(twist.covariance, (6, 6))) > 0)
    np.testing.assert_array_equal(
        odometry[-1].pose.covariance, covariance_at(peer, odometry[-1].header.stamp)
    )

    def sound() -> list[DiagnosticStatus]:
        return [diagnostic for diagnostic in diagnostics if diagnostic.message == "tracking"]

    peer.wait_for(sound, "sound diagnostics")
    told = values(sound()[-1])
    assert (sound()[-1].level, sound()[-1].name) == (b"\x00", "reloc: localization")
    assert (told["lifecycle"], told["state"]) == ("active", "tracking")
    assert told["backend"] in ("onnx (CPU, fp32)", "onnx (CPU, int8)")
    assert (told["subscriptions"], told["transform"]) == ("fit", "as configured")
    assert 0 <= float(told["lost"].removesuffix(" %")) < 100
    assert float(told["age p50"].split()[0]) >= float(told["latency p50"].split()[0])
    counts = [int(told[f"images {name}"]) for name in ("localized", "lost", "dropped", "skipped")]
    assert 0 <= int(told["images received"]) - sum(counts) <= 2  # in work, and waiting
    assert float(told["rate"].split()[0]) > 0
    assert 0 < float(told["latency p50"].split()[0]) <= float(told["latency p99"].split()[0])
    assert int(told["images received"]) > 0
    peer.wait_for(
        lambda: diagnostics[-1].level == b"\x02" and "no image has arrived" in diagnostics[-1].message,
        "the silence",
    )
    assert node.stop() == 0


def covariance_at(peer, stamp) -> list[float]:
    return next(m.pose.covariance for m in peer.poses_with_covariance if m.header.stamp == stamp)


def test_a_frame_with_a_parent_gets_no_second_one_and_another_mode_helps(start_node, peer):
    diagnostics = peer.listen_to_diagnostics()
    start_node(silence_timeout_s=5.0)
    publish_mount(peer)
    status = peer.show(view(5), lambda s: s.transform == "parent_present")
    assert status.pose_published
    assert "base_link" in status.detail
    assert not peer.tf.can_transform("map", FRAME, Time())
    peer.wait_for(lambda: any("base_link" in d.message for d in diagnostics), "the diagnostic")
    # As a person would do it: another mode, and the same node configured anew.
    assert peer.change("deactivate")
    assert peer.change("cleanup")
    assert peer.set_parameter("tf_mode", "map_base") == (True, "")
    assert peer.change("configure")
    assert peer.change("activate")
    _, map_from_base = peer.show_transform(view(5), "map", "base_link")
    expected = camera_from_map(5).inverse() @ BASE_FROM_CAMERA.inverse()
    assert center_error(map_from_base.inverse(), expected.inverse()) < 1e-4


def show_named(peer, frame: str, until) -> RelocStatus:
    """Show the image under that frame's name until there is such a status."""
    before, publisher = len(peer.statuses), peer.publisher(Image, "/image")

    def shown() -> bool:
        peer.publish_camera()
        header = Header(stamp=peer.stamp(), frame_id=frame)
        publisher.publish(image_from_pixels(view(5), header))
        time.sleep(0.05)
        return any(until(status) for status in peer.statuses[before:])

    peer.wait_for(shown, f"the status of an image in {frame}")
    return next(status for status in peer.statuses[before:] if until(status))


def test_slashes_before_frames_as_ros_1_wrote_them_change_nothing(start_node, peer):
    transforms = peer.listen(TFMessage, "/tf", 100)
    start_node(silence_timeout_s=5.0, base_frame="/base_link", map_frame="/map")
    mount = TransformStamped(child_frame_id=f"/{FRAME}", transform=transform_from_se3(BASE_FROM_CAMERA))
    mount.header.frame_id = "/base_link"
    peer.publisher(TFMessage, "/tf_static", LATCHED).publish(TFMessage(transforms=[mount]))
    status = show_named(peer, f"/{FRAME}", lambda s: s.transform == "parent_present")
    assert (status.header.frame_id, status.map_frame) == (FRAME, "map")
    assert f"{FRAME} has the parent base_link already" in status.detail
    for transition in ("deactivate", "cleanup"):
        assert peer.change(transition)
    assert peer.set_parameter("tf_mode", "map_base") == (True, "")
    for transition in ("configure", "activate"):
        assert peer.change(transition)
    show_named(peer, f"/{FRAME}", lambda s: publishing(s) and not s.transform)
    peer.wait_for(lambda: transforms, "the transform")
    (sent,) = transforms[-1].transforms
    assert (sent.header.frame_id, sent.child_frame_id) == ("map", "base_link")
    assert {pose.header.frame_id for pose in peer.poses} == {"map"}


def level_robot(camera_frame: str, optical: str) -> list[TransformStamped]:
    """A standing robot whose camera has a body frame, as Gazebo's images name it, and an optical one."""
    odom = TransformStamped(child_frame_id="base_link")
    odom.header.frame_id, odom.transform.rotation.w = "odom", 1.0
    mount = SE3.from_rotation_vector([0, 0.3, 0], [0.3, 0, 0.8])  # looks down a little
    body = TransformStamped(child_frame_id=camera_frame, transform=transform_from_se3(mount))
    body.header.frame_id = "base_link"
    turn = SE3.from_rotation_vector(np.full(3, 2 * np.pi / 3 / np.sqrt(3)) * [-1, 1, -1], np.zeros(3))
    turned = TransformStamped(child_frame_id=optical, transform=transform_from_se3(turn))
    turned.header.frame_id = camera_frame
    return [odom, body, turned]


@pytest.mark.parametrize(
    ("parameters", "frame"),
    [
        ({"tf_mode": "map_base"}, "base_link"),
        ({"tf_mode": "map_odom"}, "odom"),
        ({"tf_mode": "none", "pose_frame": "base_link"}, "base_link"),
    ],
    ids=["map_base", "map_odom", "pose_frame"],
)
def test_images_named_by_a_body_frame_are_told_of_and_camera_frame_is_the_way_out(
    start_node, peer, parameters, frame
):
    """A robot that would lie on its side while the node tracks."""
    diagnostics = peer.listen_to_diagnostics()
    node = start_node(silence_timeout_s=5.0, **parameters)
    transforms = level_robot(FRAME, "optical")
    if parameters["tf_mode"] == "map_base":
        transforms.pop(0)  # a robot without odometry
    peer.publisher(TFMessage, "/tf_static", LATCHED).publish(TFMessage(transforms=transforms))
    status = peer.show(view(5), lambda s: publishing(s) and "off level" in s.detail)
    assert status.detail.startswith(f"{frame} lies ")
    assert "body frame (x forward, z up)" in status.detail and "camera_frame" in status.detail
    peer.wait_for(lambda: any(d.message == status.detail for d in diagnostics), "the diagnostic")
    assert {d.level for d in diagnostics if d.message == status.detail} == {b"\x01"}
    for _ in range(3):
        peer.show(view(5), publishing)
    (warning,) = [line for line in node.output.splitlines() if "off level" in line]
    assert "WARN" in warning
    for transition in ("deactivate", "cleanup"):
        assert peer.change(transition)
    assert peer.set_parameter("camera_frame", "/optical") == (True, "")
    for transition in ("configure", "activate"):
        assert peer.change(transition)
    peer.show(view(5), lambda s: publishing(s) and not s.detail and not s.transform)
    assert node.output.count("off level") == 1


def test_withheld_poses_withhold_the_steady_map_to_odom_too(start_node, peer):
    transforms = peer.listen(TFMessage, "/tf", 100)
    start_node(tf_mode="map_odom", silence_timeout_s=5.0)
    standing = TransformStamped(child_frame_id="base_link")
    standing.header.frame_id, standing.transform.rotation.w = "odom", 1.0
    publish_mount(peer, standing)
    peer.show(view(5), lambda s: publishing(s) and not s.transform)
    count = len(transforms)
    peer.wait_for(lambda: len(transforms) > count + 5, "transforms without images")
    assert peer.call(SetBool, "/reloc/set_pose_publishing", data=False).success
    count = peer.wait_until_quiet(transforms)
    withheld = peer.show(view(5), lambda s: s.reason == "publishing_off")
    assert withheld.state == RelocStatus.TRACKING
    time.sleep(0.5)
    assert len(transforms) == count
    assert peer.call(SetBool, "/reloc/set_pose_publishing", data=True).success
    peer.show(view(5), lambda s: publishing(s) and not s.transform)
    peer.wait_for(lambda: len(transforms) > count + 5, "transforms again")


def standing_robot(peer) -> None:
    """With its odometry, which stands still."""
    standing = TransformStamped(child_frame_id="base_link")
    standing.header.frame_id, standing.transform.rotation.w = "odom", 1.0
    publish_mount(peer, standing)


def test_map_odom_stops_where_nothing_has_corrected_it_for_too_long_and_the_status_says_so(start_node, peer):
    transforms = peer.listen(TFMessage, "/tf", 100)
    node = start_node(
        tf_mode="map_odom", correction_max_age_s=1.0, republish_rate_hz=50.0, silence_timeout_s=5.0
    )
    standing_robot(peer)
    peer.show(view(5), lambda s: publishing(s) and not s.transform)
    # Lost: the images go on.
    status = peer.show(view(0), lambda s: s.transform == "too_old")
    assert not status.pose_published
    count = peer.wait_until_quiet(transforms)
    peer.show(view(0), lambda s: s.transform == "too_old")
    assert len(transforms) == count
    peer.show(view(5), lambda s: publishing(s) and not s.transform)
    peer.wait_for(lambda: len(transforms) > count + 20, "transforms again")
    # No images at all.
    before = len(peer.statuses)
    peer.wait_for(lambda: any(s.transform == "too_old" for s in peer.statuses[before:]), "the status")
    told = next(s for s in peer.statuses[before:] if s.transform == "too_old")
    assert "correction_max_age_s" in told.detail
    assert "nothing broadcast: nothing has corrected the odometry for 1 s" in node.output


def test_map_odom_follows_no_faster_than_it_may(start_node, peer):
    transforms = peer.listen(TFMessage, "/tf", 1000)
    start_node(
        tf_mode="map_odom",
        correction_max_speed=0.1,
        correction_max_turn_rate=0.5,
        republish_rate_hz=50.0,
        silence_timeout_s=5.0,
    )
    standing_robot(peer)
    peer.show(view(5), lambda s: publishing(s) and not s.transform)
    count = len(transforms)
    # 10 cm along: a second on the way.
    target = (camera_from_map(10).inverse() @ BASE_FROM_CAMERA.inverse()).translation

    def arrived() -> bool:
        peer.show(view(10), publishing)
        return np.linalg.norm(placed(transforms[-1]) - target) < 1e-3

    peer.wait_for(arrived, "the new place")
    moved = [(stamp_s(message), placed(message)) for message in transforms[count:]]
    steps = [
        np.linalg.norm(b[1] - a[1]) - 0.1 * (b[0] - a[0]) for a, b in itertools.pairwise(moved) if b[0] > a[0]
    ]
    assert max(steps) < 1e-3


def placed(message: TFMessage) -> np.ndarray:
    t = message.transforms[0].transform.translation
    return np.array([t.x, t.y, t.z])


def stamp_s(message: TFMessage) -> float:
    return Time.from_msg(message.transforms[0].header.stamp).nanoseconds * 1e-9
