"""A pose that counts, as others want to have it: messages and transforms."""

from __future__ import annotations

import dataclasses

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovariance, PoseWithCovarianceStamped, Twist, Vector3
from nav_msgs.msg import Odometry
from rclpy.node import Node
from std_msgs.msg import Header

from reloc_ros.geometry import Array
from reloc_ros.localizer import Localized
from reloc_ros.pose.covariance import CovarianceLimits
from reloc_ros.ros.conversions import pose_from_se3, seconds_from_stamp
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.initial_pose_output import InitialPoseOutput
from reloc_ros.ros.parameters import Parameters
from reloc_ros.ros.tf.config import NOTHING_TO_DO, TfOutcome
from reloc_ros.ros.tf.framed_pose import FramedPose, framed_pose
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.initial_pose import InitialPoseConfig
from reloc_ros.stream.smoothing import PoseSmoother, Smoothed, SmoothingConfig
from reloc_ros.stream.status import Verdict

PUBLISHING_OFF = TfOutcome(
    False, "publishing_off", "poses are not published: ~/set_pose_publishing turned them off"
)


@dataclasses.dataclass(frozen=True)
class Sent:
    """What became of one pose."""

    pose: PoseWithCovarianceStamped | None
    """Of the frame that is asked for; None where it could not be told."""
    problem: TfOutcome
    """Why the pose was not published; its reason is empty when it was."""
    transform: TfOutcome
    """Of the broadcast."""


NOT_SENT = Sent(None, NOTHING_TO_DO, NOTHING_TO_DO)


class PoseOutputs:
    """The topics for poses that count. Poses are sent on one thread."""

    def __init__(self, node: Node, given: Parameters) -> None:
        self._node = node
        self.enabled = True
        """Whether poses and transforms go out at all."""
        self._smoother = PoseSmoother()
        self._pose = node.create_publisher(PoseStamped, "~/pose", 10)
        self._with_covariance = node.create_publisher(PoseWithCovarianceStamped, "~/pose_with_covariance", 10)
        self._smoothed = self._odometry = self._initial = None
        if given.publish_smoothed:
            self._smoothed = node.create_publisher(PoseWithCovarianceStamped, "~/pose_smoothed", 10)
        if given.publish_odometry:
            self._odometry = node.create_publisher(Odometry, "~/odometry", 10)
        if given.publish_initial_pose:
            far = InitialPoseConfig(distance=given.initial_pose_distance, angle_rad=given.initial_pose_angle)
            self._initial = InitialPoseOutput(node, far)
        self._publishers = [
            p for p in (self._pose, self._with_covariance, self._smoothed, self._odometry) if p is not None
        ]

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens."""
        return self._initial is not None or any(p.get_subscription_count() for p in self._publishers)

    def close(self) -> None:
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
        if self._initial is not None:
            self._initial.close()

    def take(self, given: Parameters, loaded: LoadedMap) -> None:
        """Go by these parameters from the next pose on."""
        unit = 1.0 if loaded.is_metric else loaded.size
        self._smoother.config = SmoothingConfig(
            acceleration=unit * given.smoothing_acceleration,
            turn_acceleration=given.smoothing_turn_acceleration,
            start_speed=unit * SmoothingConfig.start_speed,
        )

    def missed(self) -> None:
        """An image gave no pose that counts."""
        if self._initial is not None:
            self._initial.missed()

    def send(
        self,
        image_header: Header,
        result: Localized,
        verdict: Verdict,
        given: Parameters,
        loaded: LoadedMap,
        tree: TfTree,
    ) -> Sent:
        """Publish the pose of one image. It may wait for transforms; hold no lock."""
        stamp, camera_frame = image_header.stamp, given.camera_frame or image_header.frame_id
        header = Header(stamp=stamp, frame_id=loaded.frame)
        limits = CovarianceLimits(
            given.covariance_scale, given.position_sigma_floor, given.rotation_sigma_floor
        )
        framed = framed_pose(given.pose_frame, camera_frame, result, stamp, tree)
        if isinstance(framed, TfOutcome):
            pose, problem = None, framed
        else:
            framed = dataclasses.replace(framed, covariance=limits.apply(framed.covariance))
            pose = PoseWithCovarianceStamped(header=header, pose=_message_from(framed))
            problem = NOTHING_TO_DO
        if not self.enabled:
            return Sent(pose, PUBLISHING_OFF, PUBLISHING_OFF)
        if pose is not None:
            self._publish(pose, framed, verdict)
        transform = tree.publish(stamp, result.camera_from_map.inverse(), camera_frame)
        if self._initial is not None:
            base = framed_pose(given.base_frame, camera_frame, result, stamp, tree)
            if isinstance(base, FramedPose):
                self._initial.pose(
                    header, dataclasses.replace(base, covariance=limits.apply(base.covariance))
                )
        return Sent(pose, problem, transform)

    def _publish(self, message: PoseWithCovarianceStamped, framed: FramedPose, verdict: Verdict) -> None:
        self._pose.publish(PoseStamped(header=message.header, pose=message.pose.pose))
        self._with_covariance.publish(message)
        if self._smoothed is None and self._odometry is None:
            return
        if verdict.jumped:
            self._smoother.forget()
        stamp_s = seconds_from_stamp(message.header.stamp)
        smoothed = self._smoother.update(framed.map_from_frame, framed.covariance, stamp_s)
        if self._smoothed is not None:
            steady = FramedPose(framed.frame, smoothed.map_from_frame, smoothed.covariance[:6, :6])
            self._smoothed.publish(
                PoseWithCovarianceStamped(header=message.header, pose=_message_from(steady))
            )
        if self._odometry is not None:
            self._odometry.publish(_odometry(message.header, framed.frame, message.pose, smoothed))


def _message_from(framed: FramedPose) -> PoseWithCovariance:
    covariance = framed.covariance.ravel().astype(float)
    return PoseWithCovariance(pose=pose_from_se3(framed.map_from_frame), covariance=covariance)


def _odometry(header: Header, child: str, pose: PoseWithCovariance, smoothed: Smoothed) -> Odometry:
    """The twist of a ROS odometry is in the child's frame."""
    frame_from_map = smoothed.map_from_frame.rotation.T
    turn = np.kron(np.eye(2), frame_from_map)
    message = Odometry(header=header, child_frame_id=child, pose=pose)
    message.twist.twist = Twist(
        linear=_vector(frame_from_map @ smoothed.velocity),
        angular=_vector(frame_from_map @ smoothed.turn_rate),
    )
    message.twist.covariance = (turn @ smoothed.covariance[6:, 6:] @ turn.T).ravel()
    return message


def _vector(values: Array) -> Vector3:
    x, y, z = map(float, values)
    return Vector3(x=x, y=y, z=z)
