"""What a person says of where the robot is (RViz's "2D Pose Estimate"), or to forget it: AMCL's topic and service."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from builtin_interfaces.msg import Time as Stamp
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_srvs.srv import Empty

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import se3_from_pose, seconds_from_stamp
from reloc_ros.ros.tf.config import TfOutcome
from reloc_ros.ros.tf.tree import TfTree

HINT_S = 10.0
"""So long what a person said is tried, unless the robot is found before."""


@dataclasses.dataclass(frozen=True)
class _Hint:
    map_from_base: SE3
    stamp: Stamp
    received_s: float


class InitialPoseInput:
    """Subscribes `initialpose` and serves `reinitialize_global_localization`, from construction until `close`."""

    def __init__(
        self,
        node: Node,
        frame: Callable[[], str],
        is_own: Callable[[PoseWithCovarianceStamped], bool],
        forget: Callable[[str], None],
    ) -> None:
        """Listen.

        Args:
            frame: of the map in use.
            is_own: whether this node sent a message itself.
            forget: called on the executor's thread, with a sentence, when what was known is to be forgotten.
        """
        self._node, self._frame, self._is_own, self._forget = node, frame, is_own, forget
        self._hint: _Hint | None = None
        self.problem = ""
        """What was wrong with the last pose given, as a sentence; empty when nothing was."""
        self._subscription = node.create_subscription(
            PoseWithCovarianceStamped,
            "initialpose",
            self._on_pose,
            1,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._service = node.create_service(Empty, "reinitialize_global_localization", self._on_reinitialize)

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_service(self._service)

    def expected(self, stamp: Stamp, camera_frame: str, base_frame: str, tree: TfTree) -> SE3 | None:
        """camera_from_map by what a person said last, moved by the odometry since; None where that is no help.

        Args:
            stamp: of the image.
        """
        hint = self._hint
        if hint is None or time.monotonic() - hint.received_s > HINT_S:
            return None
        base_from_camera = tree.lookup(base_frame, camera_frame, stamp)
        if isinstance(base_from_camera, TfOutcome):
            return None
        said_s, now_s = seconds_from_stamp(hint.stamp), seconds_from_stamp(stamp)
        moved = tree.motion(base_frame, hint.stamp, stamp) if 0 < said_s < now_s else None
        return (hint.map_from_base @ (moved or SE3.identity()) @ base_from_camera).inverse()

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        if self._is_own(message):
            return
        try:
            frame = message.header.frame_id.lstrip("/")
            if frame != self._frame():
                raise RelocError(f"it is in frame {frame!r}, and the map is {self._frame()}")
            hint = _Hint(se3_from_pose(message.pose.pose), message.header.stamp, time.monotonic())
        except RelocError as error:
            self.problem = f"{self._subscription.topic_name} is not used: {error}"
            self._node.get_logger().warning(self.problem)
            return
        self.problem, self._hint = "", hint
        self._forget("a person said where the robot is")

    def _on_reinitialize(self, _: Empty.Request, response: Empty.Response) -> Empty.Response:
        self._hint = None
        self._forget("asked to forget where the robot was")
        return response
