"""Bags of rendered pictures, written by rosbags."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.serialization import serialize_message
from rclpy.time import Time
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from reloc_ros.demo.film.trajectories import CAMERA, stream
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import camera_info_from, transform_from_se3

START_NS = 1_700_000_000_000_000_000
FRAME = "camera_optical_frame"
PERIOD_S = 0.1
BASE_FROM_CAMERA = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0.0, 1.0])


def qos(reliability: QosReliability, durability: QosDurability, depth: int = 10) -> Qos:
    never = QosTime(2147483647, 294967295)
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        reliability,
        durability,
        never,
        never,
        QosLiveliness.AUTOMATIC,
        never,
        False,
    )


SENSOR = qos(QosReliability.BEST_EFFORT, QosDurability.VOLATILE, 5)
LATCHED = qos(QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, 1)


def render(count: int) -> list[np.ndarray]:
    """Pictures of the demo's room, (480, 640, 3) BGR, along the start of its walk."""
    renderer = Renderer(reading_corner().faces, CAMERA, supersampling=1)
    return [renderer.render(pose).image for pose in stream(1 / PERIOD_S).camera_from_map[:count]]


@dataclasses.dataclass(frozen=True)
class WrittenBag:
    path: Path
    images: list[bytes]
    """Serialized, in their order."""


def write_bag(path: Path, pictures: list[np.ndarray], *, mcap: bool) -> WrittenBag:
    """A camera at 10 Hz with intrinsics, two latched mounts, and a topic of a type that nobody has."""
    storage = StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3
    types = get_typestore(Stores.ROS2_JAZZY)
    images: list[bytes] = []
    with Writer(path, version=9, storage_plugin=storage) as writer:

        def add(topic: str, kind: str, profile: Qos):
            return writer.add_connection(topic, kind, typestore=types, offered_qos_profiles=[profile])

        image = add("/camera/image_raw", "sensor_msgs/msg/Image", SENSOR)
        info = add("/camera/camera_info", "sensor_msgs/msg/CameraInfo", SENSOR)
        mount = add("/tf_static", "tf2_msgs/msg/TFMessage", LATCHED)
        unknown = writer.add_connection(
            "/secret", "nobody_has/msg/This", msgdef="uint8 x", rihs01="RIHS01_" + 64 * "0"
        )
        for child in (FRAME, "lidar"):  # two messages on one latched topic
            writer.write(mount, START_NS, serialize_message(TFMessage(transforms=[_mount(child)])))
        writer.write(unknown, START_NS, b"\x00\x01\x00\x00\x05")
        for index, picture in enumerate(pictures):
            stamp_ns = START_NS + round(index * PERIOD_S * 1e9)
            header = Header(frame_id=FRAME, stamp=Time(nanoseconds=stamp_ns).to_msg())
            intrinsics: CameraInfo = camera_info_from(CAMERA, header)
            writer.write(info, stamp_ns, serialize_message(intrinsics))
            height, width = picture.shape[:2]
            message = Image(header=header, height=height, width=width, encoding="bgr8", step=3 * width)
            message.data.frombytes(picture.tobytes())
            images.append(serialize_message(message))
            writer.write(image, stamp_ns, images[-1])
    return WrittenBag(path, images)


def _mount(child: str) -> TransformStamped:
    return TransformStamped(
        header=Header(frame_id="base_link"),
        child_frame_id=child,
        transform=transform_from_se3(BASE_FROM_CAMERA),
    )
