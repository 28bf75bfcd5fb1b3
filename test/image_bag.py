"""Bags with images and intrinsics, written by rosbags alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from reloc_ros.cameras import Camera

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
RECORDED_AFTER_NS = 5_000_000


def write_image_bag(
    path: Path,
    topics: Mapping[str, Sequence[np.ndarray]],
    camera: Camera | None = None,
    info_topic: str = "/camera/camera_info",
    *,
    mcap: bool = True,
    stamped: bool = True,
    unstamped: Collection[int] = (),
    start_ns: int = START_NS,
) -> Path:
    """Images at 10 Hz on each topic; those whose name ends in /compressed as JPEG, the others as bgr8 or mono8."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    types = get_typestore(Stores.ROS2_JAZZY)
    made = types.types
    storage = StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3

    def header(index: int):
        at_ns = start_ns + index * PERIOD_NS if stamped and index not in unstamped else 0
        stamp = made["builtin_interfaces/msg/Time"](sec=at_ns // 10**9, nanosec=at_ns % 10**9)
        return made["std_msgs/msg/Header"](stamp=stamp, frame_id="camera_optical")

    def image(index: int, pixels: np.ndarray):
        height, width = pixels.shape[:2]
        return made["sensor_msgs/msg/Image"](
            header=header(index),
            height=height,
            width=width,
            encoding="mono8" if pixels.ndim == 2 else "bgr8",
            is_bigendian=0,
            step=pixels[0].size,
            data=pixels.reshape(-1),
        )

    def compressed(index: int, pixels: np.ndarray):
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].reshape(-1)
        return made["sensor_msgs/msg/CompressedImage"](header=header(index), format="jpeg", data=data)

    with Writer(path, version=9, storage_plugin=storage) as writer:
        for topic, pictures in topics.items():
            kind, make = "Image", image
            if topic.endswith("/compressed"):
                kind, make = "CompressedImage", compressed
            connection = writer.add_connection(topic, f"sensor_msgs/msg/{kind}", typestore=types)
            for index, pixels in enumerate(pictures):
                data = types.serialize_cdr(make(index, pixels), f"sensor_msgs/msg/{kind}")
                writer.write(connection, start_ns + index * PERIOD_NS + RECORDED_AFTER_NS, data)
        if camera is not None:
            info = made["sensor_msgs/msg/CameraInfo"](
                header=header(0),
                height=camera.height,
                width=camera.width,
                distortion_model="plumb_bob",
                d=np.array(camera.coefficients[:5]),
                k=camera.matrix.ravel(),
                r=np.eye(3).ravel(),
                p=np.hstack([camera.matrix, np.zeros((3, 1))]).ravel(),
                binning_x=0,
                binning_y=0,
                roi=made["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
            )
            connection = writer.add_connection(info_topic, "sensor_msgs/msg/CameraInfo", typestore=types)
            writer.write(connection, start_ns, types.serialize_cdr(info, "sensor_msgs/msg/CameraInfo"))
    return path
