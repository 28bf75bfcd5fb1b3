"""Tells AMCL, or another localizer with its topics, where the robot is when that is far off."""

from __future__ import annotations

from geometry_msgs.msg import PoseWithCovariance, PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from reloc_ros.ros.conversions import pose_from_se3, se3_from_pose
from reloc_ros.ros.tf.framed_pose import FramedPose
from reloc_ros.stream.initial_pose import InitialPose, InitialPoseConfig


class InitialPoseOutput:
    """Publishes `initialpose`, listens to `amcl_pose`."""

    def __init__(self, node: Node, config: InitialPoseConfig) -> None:
        self._node, self._policy = node, InitialPose(config)
        self._publisher = node.create_publisher(PoseWithCovarianceStamped, "initialpose", 1)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscription = node.create_subscription(
            PoseWithCovarianceStamped, "amcl_pose", self._on_other, latched
        )

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def missed(self) -> None:
        """An image gave no pose that counts."""
        self._policy.missed()

    def pose(self, header: Header, base: FramedPose) -> None:
        """An image gave this pose of the robot's base; `header` is in the map."""
        if not self._policy.is_due(base.map_from_frame, base.covariance):
            return
        self._node.get_logger().info(
            f"{self._publisher.topic_name}: the other localizer is told where the robot is"
        )
        covariance = base.covariance.ravel().astype(float)
        pose = PoseWithCovariance(pose=pose_from_se3(base.map_from_frame), covariance=covariance)
        self._publisher.publish(PoseWithCovarianceStamped(header=header, pose=pose))

    def _on_other(self, message: PoseWithCovarianceStamped) -> None:
        self._policy.other_says(se3_from_pose(message.pose.pose))
