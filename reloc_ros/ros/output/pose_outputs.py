"""A pose that counts, as others want to have it: messages and transforms."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovariance, PoseWithCovarianceStamped, Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Header

from reloc_ros.pose.covariance import CovarianceLimits
from reloc_ros.pose.level import tilt_problem
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.conversions import pose_with_covariance_from, seconds_from_stamp, vector_from
from reloc_ros.ros.input.image_outcome import ImageOutcome
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.initial_pose import InitialPoseOutput
from reloc_ros.ros.tf.config import NOTHING_TO_DO, TfOutcome
from reloc_ros.ros.tf.frame_pose import FramePose, pose_of_frame
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.smoothing import PoseSmoother, Smoothed, SmoothingConfig
from reloc_ros.stream.status import Verdict

PUBLISHING_OFF = TfOutcome(
    False, "publishing_off", "poses are not published: ~/set_pose_publishing turned them off"
)


@dataclasses.dataclass(frozen=True)
class Sent:
    """What became of one image's pose."""

    pose: PoseWithCovarianceStamped | None = None
    """Of the frame that is asked for; None where there was nothing to send or it could not be told."""
    problem: TfOutcome = NOTHING_TO_DO
    """Why the pose was not published; its reason is empty when it was."""
    transform: TfOutcome = NOTHING_TO_DO
    """Of the broadcast."""
    remark: str = ""
    """What is suspicious of a pose that was published, or was ignored on its way, as a sentence."""

    def added_to(self, verdict: Verdict) -> Verdict:
        """The verdict on the image, with what sending came to."""
        if not verdict.publish:
            return verdict
        if self.problem.reason:
            reason, detail = self.problem.reason, self.problem.detail
            return dataclasses.replace(verdict, publish=False, reason=reason, detail=detail)
        return dataclasses.replace(verdict, detail=self.transform.detail or self.remark)


class PoseOutputs:
    """The topics for poses that count. Poses are sent by one thread at a time."""

    def __init__(self, node: Node, given: Parameters) -> None:
        self._node = node
        self.enabled = True
        """Whether poses and transforms go out at all."""
        self._smoother = PoseSmoother()
        self._remarked = False
        overridable = QoSOverridingOptions.with_default_policies()
        create = functools.partial(node.create_publisher, qos_profile=10, qos_overriding_options=overridable)
        self._pose = create(PoseStamped, "~/pose")
        self._with_covariance = create(PoseWithCovarianceStamped, "~/pose_with_covariance")
        self._smoothed = self._odometry = self._initial = None
        if given.publish_smoothed:
            self._smoothed = create(PoseWithCovarianceStamped, "~/pose_smoothed")
        if given.publish_odometry:
            self._odometry = create(Odometry, "~/odometry")
        if given.publish_initial_pose:
            self._initial = InitialPoseOutput(node, given)
        publishers = self._pose, self._with_covariance, self._smoothed, self._odometry
        self._publishers = list(filter(None, publishers))

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens."""
        return self._initial is not None or any(p.get_subscription_count() for p in self._publishers)

    @property
    def problem(self) -> str:
        """Of what is listened to for the outputs' sake, as a sentence; empty when there is none."""
        return self._initial.problem if self._initial is not None else ""

    def has_told(self, message: PoseWithCovarianceStamped) -> bool:
        """Whether this is what another localizer was told last."""
        return self._initial is not None and message == self._initial.last

    def close(self) -> None:
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
        if self._initial is not None:
            self._initial.close()

    def configure(self, given: Parameters, loaded: LoadedMap) -> None:
        """Go by these parameters from the next pose on."""
        self._smoother.config = SmoothingConfig(
            acceleration=loaded.ruler * given.smoothing_acceleration,
            turn_acceleration=given.smoothing_turn_acceleration,
            start_speed=loaded.ruler * SmoothingConfig.start_speed,
        )

    def send(
        self, outcome: ImageOutcome, verdict: Verdict, given: Parameters, loaded: LoadedMap, tree: TfTree
    ) -> Sent:
        """Publish the pose of one image if it counts. It may wait for transforms; hold no lock."""
        if not verdict.publish:
            if self._initial is not None:
                self._initial.missed()
            return Sent(transform=tree.standing)
        stamp, camera_frame = outcome.header.stamp, given.camera_frame or outcome.header.frame_id
        header = Header(stamp=stamp, frame_id=loaded.frame)
        limits = CovarianceLimits(
            given.covariance_scale, given.position_sigma_floor, given.rotation_sigma_floor
        )

        def limited_pose(frame: str) -> FramePose | TfOutcome:
            found = pose_of_frame(frame, camera_frame, outcome.result, stamp, tree)
            if isinstance(found, TfOutcome):
                return found
            found = dataclasses.replace(found, covariance=limits.apply(found.covariance))
            if not given.planar:
                return found
            ground = found.on_ground(given.planar_z)
            return dataclasses.replace(ground, covariance=limits.floored(ground.covariance))

        asked, pose, problem = limited_pose(given.posed_frame), None, NOTHING_TO_DO
        if isinstance(asked, TfOutcome):
            problem = asked
        else:
            message = pose_with_covariance_from(asked.map_from_frame, asked.covariance)
            pose = PoseWithCovarianceStamped(header=header, pose=message)
        if not self.enabled:
            return Sent(pose, PUBLISHING_OFF, PUBLISHING_OFF)
        if pose is not None:
            self._publish(pose, asked, verdict)
        covariance = limits.apply(outcome.result.covariance)
        transform = tree.publish(stamp, outcome.result.camera_from_map.inverse(), camera_frame, covariance)
        if self._initial is not None and isinstance(base := limited_pose(given.base_frame), FramePose):
            self._initial.pose(header, base, tree)
        frame, remark = tree.config.robot_frame, outcome.detail
        if frame is None or not transform.published:
            frame = given.posed_frame if pose is not None else ""
        if not given.rig and loaded.is_metric and frame in (given.base_frame, given.odom_frame):
            remark = self._tilt_remark(frame, camera_frame, outcome, tree)
        return Sent(pose, problem, transform, remark or tree.problem or self.problem)

    def _tilt_remark(self, frame: str, camera_frame: str, outcome: ImageOutcome, tree: TfTree) -> str:
        """What speaks against how the robot lies by this pose; the log tells the first."""
        camera_from_frame = tree.lookup(camera_frame, frame, outcome.header.stamp)
        if isinstance(camera_from_frame, TfOutcome):
            return ""
        map_from_camera = outcome.result.camera_from_map.inverse()
        remark = tilt_problem(frame, camera_frame, map_from_camera, camera_from_frame)
        if remark and not self._remarked:
            self._remarked = True
            self._node.get_logger().warning(remark)
        return remark

    def _publish(self, message: PoseWithCovarianceStamped, asked: FramePose, verdict: Verdict) -> None:
        self._pose.publish(PoseStamped(header=message.header, pose=message.pose.pose))
        self._with_covariance.publish(message)
        if self._smoothed is None and self._odometry is None:
            return
        if verdict.jumped:
            self._smoother.forget()
        stamp_s = seconds_from_stamp(message.header.stamp)
        smoothed = self._smoother.update(asked.map_from_frame, asked.covariance, stamp_s)
        if self._smoothed is not None:
            steady = pose_with_covariance_from(smoothed.map_from_frame, smoothed.covariance[:6, :6])
            self._smoothed.publish(PoseWithCovarianceStamped(header=message.header, pose=steady))
        if self._odometry is not None:
            self._odometry.publish(_odometry(message.header, asked.frame, message.pose, smoothed))


def _odometry(header: Header, child: str, pose: PoseWithCovariance, smoothed: Smoothed) -> Odometry:
    """The twist of a ROS odometry is in the child's frame."""
    frame_from_map = smoothed.map_from_frame.rotation.T
    turn = np.kron(np.eye(2), frame_from_map)
    message = Odometry(header=header, child_frame_id=child, pose=pose)
    message.twist.twist = Twist(
        linear=vector_from(frame_from_map @ smoothed.velocity),
        angular=vector_from(frame_from_map @ smoothed.turn_rate),
    )
    message.twist.covariance = (turn @ smoothed.covariance[6:, 6:] @ turn.T).ravel()
    return message
