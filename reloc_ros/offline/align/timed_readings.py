"""What was read at which time: poses and accelerations, out of a bag or a file, and the images of a map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.bag import Bag
from reloc_ros.offline.align.trajectory import FIRST_EPOCH_S, Poses, Trajectory, stamps_of_keys
from reloc_ros.offline.align.trajectory_fit import find_time_offset
from reloc_ros.offline.sources.frame_extraction import read_frame_notes

POSE_TYPES = {
    "nav_msgs/msg/Odometry": lambda message: message.pose.pose,
    "geometry_msgs/msg/PoseWithCovarianceStamped": lambda message: message.pose.pose,
    "geometry_msgs/msg/PoseStamped": lambda message: message.pose,
}
IMU_TYPE = "sensor_msgs/msg/Imu"
_MOST_M_S2 = 1e6
"""Of a reading; shells in their gun have less."""
MAX_GAP_S = 0.5
"""Poses farther apart are not interpolated between, unless it is told otherwise."""
NEAR_S = 1 / 60
"""A pose of a file holds for an image that is this near to it, wherever its neighbours are: half of the usual time
between frames."""


@dataclass(frozen=True, eq=False)
class StampedPoses:
    """What a topic of poses says, in order of time."""

    stamps_ns: NDArray[np.int64]
    """(N,)"""
    map_from_body: Poses
    """(N,) `body` is whatever the topic tells the pose of."""
    near_s: float = 0.0
    """How far from an image's time a pose holds for it."""
    has_orientations: bool = True

    @property
    def since_epoch(self) -> bool:
        """Whether the times are since the epoch, and not since something began."""
        return bool(self.stamps_ns[0] >= FIRST_EPOCH_S * 10**9)


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
        try:
            poses.append(SE3.from_quaternion_wxyz([q.w, q.x, q.y, q.z], [p.x, p.y, p.z]))
        except ValueError as error:
            raise RelocError(
                f"topic {topic} of {bag}: its pose number {len(poses) + 1} is none: {error}"
            ) from error
        stamps.append(stamp_ns)
    order, unique = _in_time(bag, topic, stamps)
    return StampedPoses(unique, Poses.of(poses).take(order))


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
    if not (np.abs(values) < _MOST_M_S2).all():
        raise RelocError(f"topic {topic} of {bag} holds accelerations that are not finite, or of no sensor")
    return Accelerations(unique, values)


def poses_of_file(trajectory: Trajectory) -> StampedPoses | None:
    """A trajectory whose keys are times; None for one of images."""
    stamps_ns = stamps_of_keys(trajectory.keys)
    if stamps_ns is None:
        return None
    unique, order = np.unique(stamps_ns, return_index=True)
    return StampedPoses(unique, trajectory.map_from_camera.take(order), NEAR_S, trajectory.has_orientations)


def poses_at(poses: StampedPoses, stamps_ns: Sequence[int], max_gap_s: float = MAX_GAP_S) -> list[SE3 | None]:
    """The pose at each time, interpolated between its neighbours; None outside, and in gaps of the recording."""
    times, asked = poses.stamps_ns, np.asarray(stamps_ns, dtype=np.int64)
    after = np.clip(np.searchsorted(times, asked), 0, len(times) - 1)
    before = np.where(times[after] <= asked, after, np.maximum(after - 1, 0))
    nearest = np.where(asked - times[before] <= times[after] - asked, before, after)
    gaps = times[after] - times[before]
    between = (times[before] <= asked) & (asked <= times[after]) & (gaps <= max_gap_s * 1e9)
    near = np.abs(times[nearest] - asked) <= poses.near_s * 1e9
    shares = np.clip((asked - times[before]) / np.maximum(gaps, 1), 0, 1)
    before, after = np.where(between, before, nearest), np.where(between, after, nearest)
    return [
        _between(poses.map_from_body[i], poses.map_from_body[j], share) if good else None
        for i, j, share, good in zip(
            before.tolist(), after.tolist(), shares.tolist(), between | near, strict=True
        )
    ]


def _between(a: SE3, b: SE3, share: float) -> SE3:
    """A share of the way from one pose to another, at constant speed and turn."""
    if share == 0:
        return a
    turn = Rotation.from_matrix(a.rotation.T @ b.rotation).as_rotvec()
    rotation = a.rotation @ Rotation.from_rotvec(share * turn).as_matrix()
    return SE3(rotation, (1 - share) * a.translation + share * b.translation)


def camera_trajectory(
    poses: StampedPoses,
    names: Sequence[str],
    stamps_ns: Sequence[int],
    body_from_camera: SE3 | None,
    max_gap_s: float = MAX_GAP_S,
) -> Trajectory:
    """Where the images were taken from; without the mount, the body's positions stand for the camera's."""
    found = poses_at(poses, stamps_ns, max_gap_s)
    known = [(name, pose) for name, pose in zip(names, found, strict=True) if pose is not None]
    keys = tuple(name for name, _ in known)
    if body_from_camera is None or not poses.has_orientations:
        still = (SE3(np.eye(3), pose.translation) for _, pose in known)
        return Trajectory(keys, Poses.of(still), has_orientations=False)
    return Trajectory(keys, Poses.of(pose @ body_from_camera for _, pose in known), has_orientations=True)


def offset_of_clocks(
    label: str,
    centers_sfm: NDArray[np.float64],
    stamps_ns: NDArray[np.int64],
    poses: StampedPoses,
    body_from_camera: SE3 | None,
    max_gap_s: float,
) -> float:
    """Seconds by which the clock of the poses is ahead of that of the images, see `find_time_offset`.

    Args:
        centers_sfm: (K, 3) of the images, in the order of their `stamps_ns`.
    """
    positions = poses.map_from_body.at(body_from_camera or SE3.identity()).positions
    images_s, poses_s = (1e-9 * (stamps - stamps[0]) for stamps in (stamps_ns, poses.stamps_ns))
    found_s = find_time_offset(label, centers_sfm, images_s, positions, poses_s, max_gap_s)
    return found_s + 1e-9 * float(poses.stamps_ns[0] - stamps_ns[0])


def image_times_ns(images_dir: Path, names: Sequence[str]) -> tuple[dict[str, int], bool]:
    """When each image of a map was taken, by name, and whether that is since the epoch.

    Else it is since a video began. Both as far as it is known.
    """
    stamps_ns = image_stamps_ns(images_dir, names)
    if stamps_ns:
        return stamps_ns, True
    film: Mapping[str, int] = read_frame_notes(images_dir).times_ns
    return {name: film[name] for name in names if name in film}, False


def image_stamps_ns(images_dir: Path, names: Sequence[str]) -> dict[str, int]:
    """When each image of a map was taken: as noted beside frames of a bag, or by a name that is a time."""
    noted = read_frame_notes(images_dir).stamps_ns
    stamps = {name: noted.get(name, _stamp_in_name(Path(name).stem)) for name in names}
    return {name: stamp_ns for name, stamp_ns in stamps.items() if stamp_ns is not None}


def unknown_times(names: Sequence[str]) -> RelocError:
    return RelocError(
        f"it is not known when the map's images were taken, such as '{names[0]}'; make the map from the bag itself "
        "(reloc map BAG), or name images by their time in nanoseconds"
    )


def _stamp_in_name(stem: str) -> int | None:
    if re.fullmatch(r"[1-9]([0-9]{9}|[0-9]{12}|[0-9]{15}|[0-9]{17,18})", stem):
        stamps_ns = stamps_of_keys([stem])
    elif found := re.fullmatch(r"([0-9]{9,10})[._]([0-9]{1,9})", stem):
        stamps_ns = stamps_of_keys([f"{found[1]}.{found[2]}"])
    else:
        return None
    return None if stamps_ns is None else int(stamps_ns[0])


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
