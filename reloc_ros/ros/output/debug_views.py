"""What helps a person to see why: keypoints, markers, the map, and an image. Each is made only for who listens."""

from __future__ import annotations

import collections

import cv2
import numpy as np
from geometry_msgs.msg import Point
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from reloc_ros.annotate import annotated
from reloc_ros.geometry import SE3, Array
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localized, Lost
from reloc_ros.msg import Keypoint, KeypointArray
from reloc_ros.ros.conversions import bytes_from, image_from_pixels, pose_from_se3, vector_from
from reloc_ros.ros.input.image_outcome import ImageOutcome
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.stream.status import Verdict

GREY, GREEN, RED, YELLOW = (
    ColorRGBA(r=r, g=g, b=b, a=a)
    for r, g, b, a in ((0.6, 0.6, 0.6, 0.4), (0.3, 0.9, 0.3, 1.0), (0.9, 0.2, 0.2, 1.0), (0.9, 0.9, 0.2, 1.0))
)
CLOUD_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("id", "<u4")])
POINT_FIELD_TYPES = {"f": PointField.FLOAT32, "u": PointField.UINT32}


class MapCloud:
    """The landmarks, from configure to cleanup."""

    def __init__(self, node: Node, loaded: LoadedMap) -> None:
        self._node = node
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._cloud = node.create_publisher(PointCloud2, "~/map_cloud", latched)
        self.show(loaded)

    def close(self) -> None:
        self._node.destroy_publisher(self._cloud)

    def show(self, loaded: LoadedMap) -> None:
        """Publish the landmarks once; whoever comes later gets them too."""
        if loaded.precision_problem:
            self._node.get_logger().warning(loaded.precision_problem)
        stamp = self._node.get_clock().now().to_msg()
        self._cloud.publish(
            cloud_of(loaded.localizer.bundle.landmarks, Header(stamp=stamp, frame_id=loaded.frame))
        )


class DebugViews:
    """What is shown of each image of one camera, from configure to cleanup."""

    def __init__(self, node: Node, camera: str = "") -> None:
        """Args: camera: its name, where it is one of several."""
        self._node = node
        self.made: collections.Counter[str] = collections.Counter()
        """How often each view was made."""
        place = f"~/{camera}" if camera else "~"
        self._keypoints = node.create_publisher(KeypointArray, f"{place}/keypoints", 5)
        self._markers = node.create_publisher(MarkerArray, f"{place}/markers", 5)
        self._image = node.create_publisher(Image, f"{place}/debug_image", 2)
        self._compressed = node.create_publisher(CompressedImage, f"{place}/debug_image/compressed", 2)
        self._publishers = self._keypoints, self._markers, self._image, self._compressed

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens to what is made for each image."""
        return any(publisher.get_subscription_count() for publisher in self._publishers)

    def close(self) -> None:
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)

    def show(self, outcome: ImageOutcome, verdict: Verdict, loaded: LoadedMap) -> None:
        """Make what somebody listens to; may be called on any one thread."""
        if outcome.result is not None and outcome.image is not None:
            views = ("keypoints", self._keypoints, keypoints_of), ("markers", self._markers, markers_of)
            for name, publisher, make in views:
                if publisher.get_subscription_count():
                    self.made[name] += 1
                    publisher.publish(make(outcome, loaded))
        raw, compressed = (p.get_subscription_count() for p in (self._image, self._compressed))
        if outcome.image is None or not (raw or compressed):
            return
        self.made["picture"] += 1
        text = f"{verdict.state.name.lower()} {verdict.reason} {1000 * outcome.latency_s:.0f} ms"
        picture = annotated(outcome.image, outcome.result, text)
        if raw:
            self._image.publish(image_from_pixels(picture, outcome.header))
        if compressed:
            self.made["jpeg"] += 1
            data = cv2.imencode(".jpg", picture)[1]
            self._compressed.publish(
                CompressedImage(
                    header=outcome.header, format="bgr8; jpeg compressed bgr8", data=bytes_from(data)
                )
            )


def keypoints_of(outcome: ImageOutcome, loaded: LoadedMap) -> KeypointArray:
    """The keypoints of a localizer's result as a message."""
    found, landmarks = outcome.result.keypoints, loaded.localizer.bundle.landmarks_of(outcome.result.found_by)
    rows = zip(
        landmarks.ids[found.landmarks].tolist(),
        found.positions_px.tolist(),
        found.sigmas_px.tolist(),
        found.scores.tolist(),
        outcome.result.inliers.tolist(),
        _points_of(landmarks.positions_map[found.landmarks]),
        strict=True,
    )
    height, width = outcome.image.shape[:2]
    return KeypointArray(
        header=outcome.header,
        map_frame=loaded.frame,
        width=width,
        height=height,
        keypoints=[
            Keypoint(landmark=row, x=x, y=y, sigma=sigma, score=score, inlier=inlier, position=position)
            for row, (x, y), sigma, score, inlier, position in rows
        ],
    )


def markers_of(outcome: ImageOutcome, loaded: LoadedMap) -> MarkerArray:
    """Landmarks unseen (grey), used (green), rejected (red), seen without a pose (yellow), and the lines of sight.

    Where coordinates are large, points are about an origin in the markers' pose: RViz draws in single precision.
    """
    result = outcome.result
    positions = loaded.localizer.bundle.landmarks_of(result.found_by).positions_map
    seen, localized = result.keypoints.landmarks, isinstance(result, Localized)
    unseen = np.setdiff1d(np.arange(len(positions)), seen)
    used = seen[result.inliers] if localized else seen[:0]
    rejected = seen[~result.inliers] if localized else seen[:0]
    header = Header(stamp=outcome.header.stamp, frame_id=loaded.frame)
    groups = (("unseen", GREY, unseen), ("used", GREEN, used), ("rejected", RED, rejected))
    groups += (("seen", YELLOW, seen[:0] if localized else seen),)
    size, origin = 0.03 * loaded.size, loaded.drawing_origin
    markers = [
        _marker(header, name, Marker.SPHERE_LIST, color, size, positions[rows], origin)
        for name, color, rows in groups
    ]
    lines = _lines_of_sight(result, positions[used])
    markers.append(_marker(header, "sight", Marker.LINE_LIST, GREEN, 0.1 * size, lines, origin))
    return MarkerArray(markers=markers)


def cloud_of(landmarks: Landmarks, header: Header) -> PointCloud2:
    """The landmarks with their ids."""
    points = np.zeros(len(landmarks), CLOUD_POINT)
    points["x"], points["y"], points["z"] = landmarks.positions_map.T
    points["id"] = landmarks.ids.astype(np.uint32)  # wraps where an id is larger than a cloud can say
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=[
            PointField(name=name, offset=offset, datatype=POINT_FIELD_TYPES[dtype.kind], count=1)
            for name, (dtype, offset) in CLOUD_POINT.fields.items()
        ],
        point_step=CLOUD_POINT.itemsize,
        row_step=points.nbytes,
        data=bytes_from(points),
        is_dense=True,
    )


def _marker(
    header: Header, name: str, kind: int, color: ColorRGBA, size: float, positions: Array, origin: Array
) -> Marker:
    # RViz complains about a list without points, so an empty one takes the former away instead.
    action, points = Marker.ADD if len(positions) else Marker.DELETE, _points_of(positions - origin)
    marker = Marker(header=header, ns=name, id=0, type=kind, action=action, color=color, points=points)
    marker.pose = pose_from_se3(SE3(np.eye(3), origin))
    marker.scale = vector_from(np.full(3, size))
    return marker


def _lines_of_sight(result: Localized | Lost, positions: Array) -> Array:
    """(2 N, 3) from the camera to each position (N, 3), if it has a pose."""
    if not isinstance(result, Localized):
        return np.zeros((0, 3))
    ends = np.stack([np.broadcast_to(result.camera_from_map.center, positions.shape), positions], axis=1)
    return ends.reshape(-1, 3)


def _points_of(positions: Array) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in positions.tolist()]
