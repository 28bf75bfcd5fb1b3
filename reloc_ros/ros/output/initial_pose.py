"""Tells AMCL, or another localizer with its topics, where the robot is when that is far off, until it agrees."""

from __future__ import annotations

import time

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Header

from reloc_ros.errors import RelocError
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.conversions import pose_with_covariance_from, se3_from_pose
from reloc_ros.ros.tf.config import TfOutcome
from reloc_ros.ros.tf.frame_pose import FramePose
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.initial_pose import InitialPose, InitialPoseConfig


class InitialPoseOutput:
    """Publishes `initialpose`, listens to `amcl_pose`."""

    def __init__(self, node: Node, given: Parameters) -> None:
        self._node, self._given = node, given
        far = InitialPoseConfig(distance=given.initial_pose_distance, angle_rad=given.initial_pose_angle)
        self._policy = InitialPose(far)
        self.problem = ""
        """Why the other cannot be told, or what was wrong with its last pose, as a sentence; empty when all is well."""
        self.last: PoseWithCovarianceStamped | None = None
        """What was told last."""
        self._their_frame = ""
        self._their_endpoints: frozenset[bytes] = frozenset()
        self._publisher = node.create_publisher(PoseWithCovarianceStamped, "initialpose", 1)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscription = node.create_subscription(
            PoseWithCovarianceStamped,
            "amcl_pose",
            self._on_amcl_pose,
            latched,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def missed(self) -> None:
        """An image gave no pose that counts."""
        self._policy.missed()

    def pose(self, header: Header, base: FramePose, tree: TfTree) -> None:
        """An image gave this pose of the robot's base; `header` is in the map. It may wait for a transform."""
        self._notice_restart()
        frame, ground_z = self._their_frame or header.frame_id, self._given.planar_z
        if frame != header.frame_id:
            theirs_from_map = tree.lookup(frame, header.frame_id, header.stamp)
            if isinstance(theirs_from_map, TfOutcome):
                self._say(f"{self._publisher.topic_name} cannot be told in {frame}: {theirs_from_map.detail}")
                return
            base, ground_z = base.seen_from(theirs_from_map), 0.0
        base = base.on_ground(ground_z)  # where such localizers have it
        if not self._listeners or not self._policy.is_due(
            base.map_from_frame, base.covariance, time.monotonic()
        ):
            return
        self._node.get_logger().info(
            f"{self._publisher.topic_name}: the other localizer is told where the robot is"
        )
        pose = pose_with_covariance_from(base.map_from_frame, base.covariance)
        self.last = PoseWithCovarianceStamped(header=Header(stamp=header.stamp, frame_id=frame), pose=pose)
        self._publisher.publish(self.last)

    @property
    def _listeners(self) -> int:
        """Besides this node itself."""
        return self._publisher.get_subscription_count() - self._given.take_initial_pose

    def _notice_restart(self) -> None:
        """A localizer that has come up anew waits for a pose, whatever its predecessor has said."""
        publishers = self._node.get_publishers_info_by_topic("amcl_pose")
        endpoints = frozenset(bytes(publisher.endpoint_gid) for publisher in publishers)
        if endpoints - self._their_endpoints:
            self._policy.other_is_new()
        self._their_endpoints = endpoints

    def _on_amcl_pose(self, message: PoseWithCovarianceStamped) -> None:
        try:
            map_from_base = se3_from_pose(message.pose.pose)
        except RelocError as error:
            self._say(f"{self._subscription.topic_name} is not used: {error}")
            return
        self.problem, self._their_frame = "", message.header.frame_id.lstrip("/")
        self._policy.other_says(map_from_base)

    def _say(self, problem: str) -> None:
        if not self.problem:
            self._node.get_logger().warning(problem)
        self.problem = problem
