"""What the load measurement hears of the node and of the camera."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time

from reloc_ros.bench.node.report import HeardPose
from reloc_ros.demo.ros.picture_publisher import TRUTH_PROFILE
from reloc_ros.geometry import SE3
from reloc_ros.msg import RelocStatus
from reloc_ros.ros.conversions import se3_from_pose, seconds_from_stamp
from reloc_ros.ros.output.diagnostics import HEARS_ALL


class Listener(Node):
    """Keeps the arrival of every pose, status and truth."""

    def __init__(self, context: Context) -> None:
        super().__init__("reloc_load", context=context)
        self.poses: list[HeardPose] = []
        self.statuses: list[RelocStatus] = []
        self.truths: dict[int, SE3] = {}
        latched = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(PoseStamped, "/reloc/pose", self._on_pose, 50)
        self.create_subscription(PoseStamped, "/truth", self._on_truth, TRUTH_PROFILE)
        self.create_subscription(RelocStatus, "/reloc/status", self.statuses.append, latched)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.problem = ""
        """Whom the node says that it cannot hear, and why; empty when it hears all."""

    def _on_pose(self, message: PoseStamped) -> None:
        stamp = message.header.stamp
        camera_from_map = se3_from_pose(message.pose).inverse()
        times = time.time(), seconds_from_stamp(stamp), Time.from_msg(stamp).nanoseconds
        self.poses.append(HeardPose(*times, camera_from_map))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        told = {value.key: value.value for status in message.status for value in status.values}
        problem = told.get("subscriptions", HEARS_ALL)
        self.problem = "" if problem == HEARS_ALL else problem

    def _on_truth(self, message: PoseStamped) -> None:
        stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
        self.truths[stamp_ns] = se3_from_pose(message.pose).inverse()
