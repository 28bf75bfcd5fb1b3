"""Poses and accelerations out of a recorded bag, and the times of the images of a map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.bag import Bag
from reloc_ros.offline.align.trajectory import Trajectory
from reloc_ros.offline.sources.frame_extraction import read_frame_notes

POSE_TYPES = {
    "nav_msgs/msg/Odometry": lambda message: message.pose.pose,
    "geometry_msgs/msg/PoseWithCovarianceStamped": lambda message: message.pose.pose,
    "geometry_msgs/msg/PoseStamped": lambda message: message.pose,
}
IMU_TYPE = "sensor_msgs/msg/Imu"
MAX_GAP_S = 0.5
"""Poses farther apart are not interpolated between."""


@dataclass(frozen=True, eq=False)
class StampedPoses:
    """What a topic of poses says, in order of time."""

    stamps_ns: NDArray[np.int64]
    """(N,)"""
    map_from_body: tuple[SE3, ...]
    """(N,) `body` is whatever the topic tells the pose of."""


@dataclass(frozen=True, eq=False)
class Accelerations:
    """What an accelerometer read, in order of time."""

    stamps_ns: NDArray[np.int64]
    """(N,)"""
    accelerations: NDArray[np.float64]
    """(N, 3) m/s^2 in the frame of the sensor; at rest, upwards."""


def read_bag_poses(bag: Path, topic: str) -> StampedPoses:
    """Read nav_msgs/Odometry, geometry_msgs/PoseStamped or PoseWithCovarianceStamped."""
    stamps, poses = [], []
    for kind, stamp_ns, message in _messages(bag, topic, tuple(POSE_TYPES)):
        pose = POSE_TYPES[kind](message)
        p, q = pose.position, pose.orientation
        numbers = [q.w, q.x, q.y, q.z, p.x, p.y, p.z]
        if not np.isfinite(numbers).all() or not any(numbers[:4]):
            raise RelocError(
                f"topic {topic} of {bag}: its pose number {len(poses) + 1} is not finite, or without a quaternion"
            )
        stamps.append(stamp_ns)
        poses.append(SE3.from_quaternion_wxyz(numbers[:4], numbers[4:]))
    order, unique = _in_time(bag, topic, stamps)
    return StampedPoses(unique, tuple(poses[k] for k in order))


def read_bag_accelerations(bag: Path, topic: str) -> Accelerations:
    """Read sensor_msgs/Imu."""
    stamps, readings = [], []
    for _, stamp_ns, message in _messages(bag, topic, (IMU_TYPE,)):
        if message.linear_acceleration_covariance[0] == -1:
            raise RelocError(
                f"topic {topic} of {bag} says that its sensor measures no accelerations; use another source"
            )
        a = message.linear_acceleration
        stamps.append(stamp_ns)
        readings.append([a.x, a.y, a.z])
    order, unique = _in_time(bag, topic, stamps)
    values = np.array(readings)[order]
    if not np.isfinite(values).all():
        raise RelocError(f"topic {topic} of {bag} holds accelerations that are not finite")
    return Accelerations(unique, values)


def poses_at(poses: StampedPoses, stamps_ns: Sequence[int]) -> list[SE3 | None]:
    """The pose at each time, interpolated between its neighbours; None outside, and in gaps of the recording."""
    times = poses.stamps_ns
    rotations = Rotation.from_matrix([pose.rotation for pose in poses.map_from_body])
    translations = np.array([pose.translation for pose in poses.map_from_body])
    found: list[SE3 | None] = []
    for stamp_ns in stamps_ns:
        after = int(np.searchsorted(times, stamp_ns))
        if after < len(times) and times[after] == stamp_ns:
            found.append(poses.map_from_body[after])
        elif 0 < after < len(times) and times[after] - times[after - 1] <= MAX_GAP_S * 1e9:
            share = float(stamp_ns - times[after - 1]) / float(times[after] - times[after - 1])
            turn = Slerp([0, 1], rotations[[after - 1, after]])(share).as_matrix()
            found.append(SE3(turn, (1 - share) * translations[after - 1] + share * translations[after]))
        else:
            found.append(None)
    return found


def camera_trajectory(
    poses: StampedPoses, names: Sequence[str], stamps_ns: Sequence[int], body_from_camera: SE3 | None
) -> Trajectory:
    """Where the images were taken from; without the mount, the body's positions stand for the camera's."""
    found = poses_at(poses, stamps_ns)
    known = [(name, pose) for name, pose in zip(names, found, strict=True) if pose is not None]
    if body_from_camera is None:
        still = tuple(SE3(np.eye(3), pose.translation) for _, pose in known)
        return Trajectory(tuple(name for name, _ in known), still, has_orientations=False)
    placed = tuple(pose @ body_from_camera for _, pose in known)
    return Trajectory(tuple(name for name, _ in known), placed, has_orientations=True)


def image_stamps_ns(images_dir: Path, names: Sequence[str]) -> dict[str, int]:
    """When each image of a map was taken: as noted beside frames of a bag, or by a name that is a time."""
    noted = read_frame_notes(images_dir).stamps_ns
    stamps = {name: noted.get(name, _stamp_in_name(Path(name).stem)) for name in names}
    return {name: stamp_ns for name, stamp_ns in stamps.items() if stamp_ns is not None}


def _stamp_in_name(stem: str) -> int | None:
    if re.fullmatch(r"[0-9]{18,19}", stem):
        return int(stem)
    if found := re.fullmatch(r"([0-9]{9,10})[._]([0-9]{1,9})", stem):
        return int(found[1]) * 10**9 + int(found[2].ljust(9, "0"))
    return None


def _in_time(bag: Path, topic: str, stamps: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    if not stamps:
        raise RelocError(f"topic {topic} of {bag} has no messages")
    unique, order = np.unique(np.array(stamps, dtype=np.int64), return_index=True)
    return order, unique


def _messages(path: Path, topic: str, types: tuple[str, ...]) -> Iterator[tuple[str, int, Any]]:
    """Type, stamp and content of each message of a topic of one of these types."""
    with Bag(path) as bag:
        usable = sorted({c.topic for c in bag.connections if c.msgtype in types})
        offered = (
            f"of a fitting type it has {', '.join(usable)}" if usable else "it has none of a fitting type"
        )
        found = {c.msgtype for c in bag.connections if c.topic == topic}
        if not found:
            raise RelocError(f"bag {path} has no topic {topic}; {offered}")
        if wrong := found - set(types):
            raise RelocError(
                f"topic {topic} of {path} is {min(wrong)}, needed is {' or '.join(types)}; {offered}"
            )
        for raw in bag.messages([topic]):
            message = raw.decoded()
            stamp = message.header.stamp
            yield raw.connection.msgtype, stamp.sec * 10**9 + stamp.nanosec, message
