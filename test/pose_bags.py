"""Bags of odometry, poses and accelerations, written by rosbags without ROS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from reloc_ros.geometry import SE3
from reloc_ros.offline.align.timed_readings import Accelerations, StampedPoses

STORE = get_typestore(Stores.ROS2_JAZZY)
TYPES = STORE.types


def write_pose_bag(
    path: Path,
    poses: StampedPoses | None = None,
    imu: Accelerations | None = None,
    kind: str = "nav_msgs/msg/Odometry",
    mcap: bool = True,
    covariance: float = 0.0,
) -> Path:
    """Poses on /odom, accelerations on /imu, and one word on /chatter."""
    storage = StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3
    with Writer(path, version=9, storage_plugin=storage) as writer:
        chatter = writer.add_connection("/chatter", "std_msgs/msg/String", typestore=STORE)
        writer.write(
            chatter, 1, STORE.serialize_cdr(TYPES["std_msgs/msg/String"]("hi"), "std_msgs/msg/String")
        )
        if poses is not None:
            topic = writer.add_connection("/odom", kind, typestore=STORE)
            for stamp_ns, pose in zip(poses.stamps_ns.tolist(), poses.map_from_body, strict=True):
                writer.write(topic, stamp_ns, STORE.serialize_cdr(_pose_message(kind, stamp_ns, pose), kind))
        if imu is not None:
            topic = writer.add_connection("/imu", "sensor_msgs/msg/Imu", typestore=STORE)
            for stamp_ns, reading in zip(imu.stamps_ns.tolist(), imu.accelerations, strict=True):
                message = _imu_message(stamp_ns, reading, covariance)
                writer.write(topic, stamp_ns, STORE.serialize_cdr(message, "sensor_msgs/msg/Imu"))
    return path


def _header(stamp_ns: int):
    stamp = TYPES["builtin_interfaces/msg/Time"](stamp_ns // 10**9, stamp_ns % 10**9)
    return TYPES["std_msgs/msg/Header"](stamp, "odom")


def _vector(values: Sequence[float]):
    return TYPES["geometry_msgs/msg/Vector3"](*map(float, values))


def _pose_message(kind: str, stamp_ns: int, pose: SE3):
    w, x, y, z = map(float, pose.quaternion_wxyz)
    point = TYPES["geometry_msgs/msg/Point"](*map(float, pose.translation))
    told = TYPES["geometry_msgs/msg/Pose"](point, TYPES["geometry_msgs/msg/Quaternion"](x, y, z, w))
    if kind == "geometry_msgs/msg/PoseStamped":
        return TYPES[kind](_header(stamp_ns), told)
    uncertain = TYPES["geometry_msgs/msg/PoseWithCovariance"](told, np.zeros(36))
    if kind == "geometry_msgs/msg/PoseWithCovarianceStamped":
        return TYPES[kind](_header(stamp_ns), uncertain)
    still = TYPES["geometry_msgs/msg/Twist"](_vector([0, 0, 0]), _vector([0, 0, 0]))
    twist = TYPES["geometry_msgs/msg/TwistWithCovariance"](still, np.zeros(36))
    return TYPES["nav_msgs/msg/Odometry"](_header(stamp_ns), "base_link", uncertain, twist)


def _imu_message(stamp_ns: int, reading: np.ndarray, covariance: float):
    turn = TYPES["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    linear = np.zeros(9)
    linear[0] = covariance
    return TYPES["sensor_msgs/msg/Imu"](
        _header(stamp_ns), turn, np.zeros(9), _vector([0, 0, 0]), np.zeros(9), _vector(reading), linear
    )
