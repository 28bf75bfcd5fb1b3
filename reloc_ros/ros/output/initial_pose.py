"""Tells AMCL, or another localizer with its topics, where the robot is when that is far off."""

from __future__ import annotations

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from reloc_ros.errors import RelocError
from reloc_ros.ros.conversions import pose_with_covariance_from, se3_from_pose
from reloc_ros.ros.tf.frame_pose import FramePose
from reloc_ros.stream.initial_pose import InitialPose, InitialPoseConfig


class InitialPoseOutput:
    """Publishes `initialpose`, listens to `amcl_pose`."""

    def __init__(self, node: Node, config: InitialPoseConfig) -> None:
        self._node, self._policy = node, InitialPose(config)
        self.problem = ""
        """What was wrong with the other's last pose, as a sentence; empty when nothing was."""
        self._publisher = node.create_publisher(PoseWithCovarianceStamped, "initialpose", 1)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscription = node.create_subscription(
            PoseWithCovarianceStamped, "amcl_pose", self._on_amcl_pose, latched
        )

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def missed(self) -> None:
        """An image gave no pose that counts."""
        self._policy.missed()

    def pose(self, header: Header, base: FramePose) -> None:
        """An image gave this pose of the robot's base; `header` is in the map."""
        if not self._policy.is_due(base.map_from_frame, base.covariance):
            return
        self._node.get_logger().info(
            f"{self._publisher.topic_name}: the other localizer is told where the robot is"
        )
        pose = pose_with_covariance_from(base.map_from_frame, base.covariance)
        self._publisher.publish(PoseWithCovarianceStamped(header=header, pose=pose))

    def _on_amcl_pose(self, message: PoseWithCovarianceStamped) -> None:
        try:
            self._policy.other_says(se3_from_pose(message.pose.pose))
            self.problem = ""
        except RelocError as error:
            problem = f"{self._subscription.topic_name} is not used: {error}"
            if not self.problem:
                self._node.get_logger().warning(problem)
            self.problem = problem
