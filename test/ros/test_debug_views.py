"""The debug topics: right, and made for nobody but who listens."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from node_process import publishing
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from reloc_ros.msg import KeypointArray
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from table_bundle import CAMERA, LANDMARKS, camera_from_map, view
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray
from waiting import until

from reloc_ros.geometry import SE3
from reloc_ros.localizer import Localized
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.input.image_outcome import ImageOutcome
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.debug_views import DebugViews, MapCloud, cloud_of, keypoints_of, markers_of
from reloc_ros.ros.spinning import Spinning
from reloc_ros.stream.status import State, Verdict

TRACKING = Verdict(State.TRACKING, True, "", "")
LOST = Verdict(State.LOST, False, "no_keypoints", "no landmark of the map was found in the image")
TOPICS = {
    "keypoints": KeypointArray,
    "markers": MarkerArray,
    "debug_image": Image,
    "debug_image/compressed": CompressedImage,
}


@pytest.fixture(scope="module")
def loaded(table_bundle):
    return LoadedMap.load(Parameters(backend="onnx"), str(table_bundle))


def outcome_of(loaded, index):
    header = Header(frame_id="camera")
    header.stamp.sec = 7
    image = view(index)
    result = loaded.localizer.localize(image, CAMERA)
    return ImageOutcome(header, image, result, "", "", 0.01)


def test_nothing_is_made_while_nobody_listens(lone_node, loaded):
    views = DebugViews(lone_node)
    assert not views.is_wanted
    for _ in range(5):
        views.show(outcome_of(loaded, 5), TRACKING, loaded)
        views.show(outcome_of(loaded, 0), LOST, loaded)
    assert not views.made


def test_each_view_is_made_for_its_listener_alone_and_no_more_once_that_is_gone(lone_node, loaded):
    views, outcome = DebugViews(lone_node), outcome_of(loaded, 5)
    costs = {
        "keypoints": {"keypoints": 1},
        "markers": {"markers": 1},
        "debug_image": {"picture": 1},
        "debug_image/compressed": {"picture": 1, "jpeg": 1},
    }
    for name, message_type in TOPICS.items():
        subscription = lone_node.create_subscription(message_type, f"/reloc/{name}", lambda _: None, 1)
        assert until(lambda: views.is_wanted)
        views.made.clear()
        views.show(outcome, TRACKING, loaded)
        assert views.made == costs[name]
        lone_node.destroy_subscription(subscription)
        assert until(lambda: not views.is_wanted)


def test_listeners_get_what_the_localizer_found(lone_node, loaded):
    views, outcome, _ = DebugViews(lone_node), outcome_of(loaded, 5), MapCloud(lone_node, loaded)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    heard = {"map_cloud": None}
    types = TOPICS | {"map_cloud": PointCloud2}
    for name, message_type in types.items():
        profile = latched if name == "map_cloud" else 5
        lone_node.create_subscription(
            message_type, f"/reloc/{name}", lambda message, name=name: heard.update({name: message}), profile
        )
    executor = SingleThreadedExecutor(context=lone_node.context)
    executor.add_node(lone_node)
    spinning = Spinning(executor)
    try:
        assert until(lambda: all(p.get_subscription_count() for p in (views._keypoints, views._compressed)))
        assert until(lambda: all(p.get_subscription_count() for p in (views._markers, views._image)))
        views.show(outcome, TRACKING, loaded)
        assert until(lambda: set(heard) == set(types) and heard["map_cloud"] is not None)
    finally:
        spinning.end()
    found = outcome.result.keypoints
    message = heard["keypoints"]
    assert (message.width, message.height, message.map_frame) == (CAMERA.width, CAMERA.height, "map")
    assert message.header == outcome.header
    np.testing.assert_allclose([(k.x, k.y) for k in message.keypoints], found.positions_px)
    np.testing.assert_allclose([k.sigma for k in message.keypoints], found.sigmas_px, rtol=1e-6)
    assert [k.inlier for k in message.keypoints] == outcome.result.inliers.tolist()
    points = [(k.position.x, k.position.y, k.position.z) for k in message.keypoints]
    pixels = CAMERA.project(camera_from_map(5).apply(points))
    np.testing.assert_allclose(pixels, found.positions_px, atol=0.01)

    raw = np.frombuffer(heard["debug_image"].data, np.uint8).reshape(CAMERA.height, CAMERA.width, 3)
    assert (raw != outcome.image).any(axis=2).sum() > 100
    jpeg = cv2.imdecode(np.frombuffer(heard["debug_image/compressed"].data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(jpeg.astype(int) - raw).mean() < 5
    assert heard["map_cloud"].width == LANDMARKS
    assert heard["map_cloud"].header.frame_id == "map"


def test_the_map_cloud_holds_the_landmarks(loaded):
    landmarks = loaded.localizer.bundle.landmarks
    cloud = cloud_of(landmarks, Header(frame_id="map"))
    points = np.frombuffer(cloud.data, [("xyz", "<f4", 3), ("id", "<u4")])
    np.testing.assert_allclose(points["xyz"], landmarks.positions_map, rtol=1e-6)
    np.testing.assert_array_equal(points["id"], landmarks.ids)
    assert [(f.name, f.offset) for f in cloud.fields] == [("x", 0), ("y", 4), ("z", 8), ("id", 12)]
    assert cloud.row_step == len(cloud.data) == cloud.point_step * cloud.width


def moved_to(loaded, offset) -> LoadedMap:
    """The same map with its origin elsewhere."""
    bundle = loaded.localizer.bundle
    landmarks = dataclasses.replace(bundle.landmarks, positions_map=bundle.landmarks.positions_map + offset)
    localizer = SimpleNamespace(bundle=dataclasses.replace(bundle, landmarks=landmarks), backend=None)
    return dataclasses.replace(loaded, localizer=localizer)


def test_in_projected_coordinates_markers_are_exact_and_the_cloud_s_rounding_is_told(
    lone_node, loaded, capfd
):
    """UTM, as robots with GNSS have it: in single precision its northings are 0.5 m apart."""
    offset = np.array([500_123.25, 4_649_876.5, 412.0])
    far, outcome = moved_to(loaded, offset), outcome_of(loaded, 5)
    pose = outcome.result.camera_from_map @ SE3(np.eye(3), -offset)
    far_result = Localized(**{**vars(outcome.result), "camera_from_map": pose})
    told_by = MapCloud(lone_node, far)
    told = capfd.readouterr().err
    assert told.count("4,649,88") == 1 and "steps of 0.5 m" in told and "earth" in told
    found = {m.ns: m for m in markers_of(dataclasses.replace(outcome, result=far_result), far).markers}
    near = {m.ns: m for m in markers_of(outcome, loaded).markers}
    for name, marker in found.items():
        points, origin = places_of(marker.points), np.array(places_of([marker.pose.position])[0])
        assert marker.header.frame_id == "map" and marker.pose.orientation.w == 1.0
        assert len(points) == 0 or np.abs(points).max() < 1000
        rounded = points.astype(np.float32) + origin  # as RViz draws it
        np.testing.assert_allclose(rounded - offset, places_of(near[name].points), atol=1e-5)
        assert near[name].pose.position.x == near[name].pose.position.y == 0
    cloud = np.frombuffer(
        cloud_of(far.localizer.bundle.landmarks, Header()).data, [("xyz", "<f4", 3), ("id", "<u4")]
    )
    np.testing.assert_allclose(cloud["xyz"], far.localizer.bundle.landmarks.positions_map, atol=0.25, rtol=0)
    positions = places_of([k.position for k in keypoints_of(outcome, far).keypoints])
    exact = far.localizer.bundle.landmarks.positions_map[outcome.result.keypoints.landmarks]
    np.testing.assert_array_equal(positions, exact)
    told_by.close()


def places_of(points) -> np.ndarray:
    return np.array([(p.x, p.y, p.z) for p in points]).reshape(-1, 3)


def test_of_coordinates_that_single_precision_holds_nothing_is_said(lone_node, loaded, capfd):
    MapCloud(lone_node, moved_to(loaded, [9_000.0, -12_000.0, 300.0])).close()
    assert capfd.readouterr().err == ""


def test_markers_tell_used_from_rejected_and_unseen(loaded):
    outcome = outcome_of(loaded, 5)
    rejected = outcome.result.inliers.copy()
    rejected[:3] = False
    result = Localized(**{**vars(outcome.result), "inliers": rejected})
    outcome = ImageOutcome(outcome.header, outcome.image, result, "", "", 0.01)
    markers = {marker.ns: marker for marker in markers_of(outcome, loaded).markers}
    found = len(result.keypoints)
    counts = {name: len(marker.points) for name, marker in markers.items()}
    used = found - 3
    assert counts == {"unseen": LANDMARKS - found, "used": used, "rejected": 3, "seen": 0, "sight": 2 * used}
    assert markers["seen"].action == Marker.DELETE
    lost = {marker.ns: len(marker.points) for marker in markers_of(outcome_of(loaded, 0), loaded).markers}
    assert lost == {"unseen": LANDMARKS, "used": 0, "rejected": 0, "seen": 0, "sight": 0}


def test_who_looks_at_the_debug_image_does_not_hold_up_transforms(start_node, peer):
    """In half a megabyte of shared memory it takes their place, and they come again when three seconds are over."""
    start_node(tf_mode="map_camera")
    peer.show(view(5), publishing)
    pictures, late_s = peer.listen(Image, "/reloc/debug_image"), []

    def on_transform(_: TFMessage, info: dict) -> None:
        late_s.append(1e-9 * (info["received_timestamp"] - info["source_timestamp"]))

    peer.node.create_subscription(TFMessage, "/tf", on_transform, 100)
    peer.show(view(5), lambda _: len(pictures) > 40)
    assert len(late_s) > 20
    assert np.quantile(late_s, 0.9) < 0.3
