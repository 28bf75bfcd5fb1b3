"""What the node of the drive said, and what that is worth."""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from reloc_ros.demo.fusion.robot import planar_from_se3, wrapped
from reloc_ros.demo.ros.drive_robot import MOUNTS, NAMESPACE, Robot
from reloc_ros.geometry import SE3
from reloc_ros.msg import RelocStatus
from reloc_ros.ros.conversions import se3_from_pose, se3_from_transform

WRONG_M, WRONG_RAD = 0.1, np.radians(5)


class DriveWatch(Node):
    """Hears everything of one robot."""

    def __init__(self) -> None:
        super().__init__("watch", namespace=NAMESPACE)
        self.poses: dict[int, SE3] = {}
        self.placed: list[tuple[int, SE3]] = []
        """map_from_odom with the stamps of their messages, ns."""
        self.parents: collections.Counter[str] = collections.Counter()
        """Of odom."""
        self.statuses: list[RelocStatus] = []
        self.of_cameras: dict[str, list[RelocStatus]] = {name: [] for name in MOUNTS}
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        topic = f"{NAMESPACE}/reloc/pose_with_covariance"
        self.create_subscription(PoseWithCovarianceStamped, topic, self._on_pose, 100)
        self.create_subscription(RelocStatus, f"{NAMESPACE}/reloc/status", self.statuses.append, latched)
        for name, kept in self.of_cameras.items():
            self.create_subscription(RelocStatus, f"{NAMESPACE}/reloc/{name}/status", kept.append, latched)
        self.create_subscription(TFMessage, f"{NAMESPACE}/tf", self._on_transforms, 1000)

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        self.poses[Time.from_msg(message.header.stamp).nanoseconds] = se3_from_pose(message.pose.pose)

    def _on_transforms(self, message: TFMessage) -> None:
        for each in message.transforms:
            if each.child_frame_id == "odom":
                self.parents[each.header.frame_id] += 1
                stamp_ns = Time.from_msg(each.header.stamp).nanoseconds
                self.placed.append((stamp_ns, se3_from_transform(each.transform)))


@dataclasses.dataclass(frozen=True)
class DriveFigures:
    """Of one drive."""

    seconds: float
    pictures: int
    foreign_messages: int
    poses: int
    poses_of: dict[str, int]
    """By camera: of those, the poses in which it had a part."""
    wrong_poses: int
    """Farther than 10 cm or 5 degrees from the truth."""
    pose_error_median_m: float
    pose_error_max_m: float
    longest_without_pose_s: float
    parents_of_odom: list[str]
    odom_from_map_origin_m: float
    """Distance of the odometry's origin from the map's."""
    placed_error_median_m: float
    """Of the robot by map -> odom, at each picture since the first, lost or not."""
    placed_error_max_m: float
    largest_step_m: float
    """Of map -> odom within a second."""
    largest_turn_rad: float
    not_upright: int
    """Of the transforms and poses: with a roll, a pitch or a height."""
    reasons: dict[str, int]
    transform_reasons: dict[str, int]
    exit_code: int | None
    """None: it ran to the end and was then told to stop."""


def figures(robot: Robot, watch: DriveWatch, seconds: float, exit_code: int | None) -> DriveFigures:
    """What the drive shows, in numbers."""
    stamps = sorted(set(watch.poses) & set(robot.truth))
    errors = np.array([_error(watch.poses[stamp], robot.truth[stamp]) for stamp in stamps]).reshape(-1, 2)
    steps, turns = _steps_in_a_second(watch.placed)
    placed = _placed_errors(robot, watch)
    gaps_s = np.diff(stamps) * 1e-9
    upright = [pose for _, pose in watch.placed] + list(watch.poses.values())
    return DriveFigures(
        seconds=seconds,
        pictures=len(robot.truth),
        foreign_messages=robot.foreign_sent,
        poses=len(watch.poses),
        poses_of={name: sum(s.pose_published for s in kept) for name, kept in watch.of_cameras.items()},
        wrong_poses=int(np.sum((errors[:, 0] > WRONG_M) | (errors[:, 1] > WRONG_RAD)))
        + len(set(watch.poses) - set(robot.truth)),
        pose_error_median_m=float(np.median(errors[:, 0])),
        pose_error_max_m=float(errors[:, 0].max()),
        longest_without_pose_s=float(gaps_s.max()),
        parents_of_odom=sorted(watch.parents),
        odom_from_map_origin_m=float(np.linalg.norm(watch.placed[0][1].translation)),
        placed_error_median_m=float(np.median(placed)),
        placed_error_max_m=float(placed.max()),
        largest_step_m=steps,
        largest_turn_rad=turns,
        not_upright=sum(not _is_upright(pose) for pose in upright),
        reasons=dict(collections.Counter(status.reason for status in watch.statuses).most_common()),
        transform_reasons=dict(collections.Counter(s.transform for s in watch.statuses).most_common()),
        exit_code=exit_code,
    )


def _is_upright(pose: SE3) -> bool:
    return bool(abs(pose.translation[2]) < 1e-9 and pose.rotation[2, 2] > 1 - 1e-12)


def _error(map_from_base: SE3, truth: np.ndarray) -> tuple[float, float]:
    found = planar_from_se3(map_from_base)
    return float(np.linalg.norm(found[:2] - truth[:2])), abs(wrapped(found[2] - truth[2]))


def _placed_errors(robot: Robot, watch: DriveWatch) -> np.ndarray:
    """(N,) metres, by the last transform dated before each picture."""
    dated = np.array([stamp for stamp, _ in watch.placed])
    errors = []
    for stamp, truth in robot.truth.items():
        row = int(np.searchsorted(dated, stamp, side="right")) - 1
        if row >= 0:
            x, y, yaw = robot.odometry[stamp]
            odom_from_base = SE3.from_rotation_vector([0, 0, yaw], [x, y, 0])
            errors.append(_error(watch.placed[row][1] @ odom_from_base, truth)[0])
    return np.array(errors)


def _steps_in_a_second(placed: list[tuple[int, SE3]]) -> tuple[float, float]:
    """The farthest and the largest turn between any two transforms that are a second apart at most."""
    step = turn = 0.0
    for first, (stamp, before) in enumerate(placed):
        for later, after in placed[first + 1 :]:
            if later - stamp > 1_000_000_000:
                break
            step = max(step, float(np.linalg.norm(after.translation - before.translation)))
            turn = max(turn, abs(wrapped(planar_from_se3(after)[2] - planar_from_se3(before)[2])))
    return step, turn
