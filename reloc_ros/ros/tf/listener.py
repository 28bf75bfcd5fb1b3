"""Listens to the TF tree: transforms at a time, waited for where they are late, and who is whose parent."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Hashable
from functools import partial

from geometry_msgs.msg import TransformStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, TransformException

from reloc_ros.errors import RelocError, first_line
from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import se3_from_transform
from reloc_ros.ros.tf.config import TfOutcome
from reloc_ros.ros.tf.links import Links

SETTLE_S = 0.5
"""After the start: time to hear who is whose parent."""
SETTLE_AT_MOST_S = 3.0
"""The same, while /tf_static has a publisher that has not been heard."""
STARTED_OVER_NS = 2_000_000_000
"""A frame's or an image's stamp this much before the one before is of a recording that started over."""
STARTED_OVER_MESSAGES = 3
"""So many of a frame in a row: one between newer ones is of a second publisher, whose clock is behind."""
PROBLEM_S = 10.0
"""So long after a transform that was none, it is told of."""


class TfListener:
    """The tree as others say it is: what this node itself sends is left out.

    Not tf2_ros's TransformListener, which does not tell whose a transform is, and whose buffer refuses all that a
    recording says after starting over while it holds a transform from before.
    """

    def __init__(self, node: Node, on_restart: Callable[[], None]) -> None:
        """Listen on `node`'s executor; `on_restart` is called there when the stamps have gone back."""
        self._node, self._on_restart = node, on_restart
        self._changed = threading.Condition()  # guards what follows; notified when transforms arrive
        self._buffer = Buffer()
        self._links = Links()
        self._newest_ns: dict[str, int] = {}
        self._behind: dict[str, list[TransformStamped]] = {}  # far older than the newest, and only such since
        self._restarted_s: dict[str, float] = {}
        self._skewed_s: dict[str, float] = {}
        self._static_heard = self._closed = False
        self._problem, self._problem_s = "", 0.0
        self._started_s = time.monotonic()
        group = ReentrantCallbackGroup()
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        changing, static = (partial(self._on_transforms, static=is_static) for is_static in (False, True))
        options = {
            "callback_group": group,
            "qos_overriding_options": QoSOverridingOptions.with_default_policies(),
        }
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf", changing, 100, **options),
            node.create_subscription(TFMessage, "/tf_static", static, latched, **options),
        ]

    def close(self) -> None:
        """Stop listening; a lookup that waits ends at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def restart(self) -> None:
        """Forget what changes over time: the clock was set, or a recording started over."""
        with self._changed:
            self._buffer.clear()
            self._newest_ns.clear()
            self._behind.clear()
            self._links.restart(self._now_s())

    @property
    def is_settled(self) -> bool:
        """Whether there was time to hear the tree; false for a moment after the start."""
        elapsed_s = time.monotonic() - self._started_s
        if elapsed_s < SETTLE_S or self._static_heard or elapsed_s > SETTLE_AT_MOST_S:
            return elapsed_s >= SETTLE_S
        return self._node.count_publishers(self._node.resolve_topic_name("/tf_static")) == 0

    @property
    def problem(self) -> str:
        """What was wrong with a transform of the last seconds, as a sentence; empty when all were good."""
        return self._problem if time.monotonic() - self._problem_s < PROBLEM_S else ""

    def inherit(self, former: TfListener) -> None:
        """What the node broadcast while `former` listened is not another node's."""
        with former._changed, self._changed:
            self._links.inherit(former._links)

    def sending(self, message: TransformStamped) -> None:
        """Call it before broadcasting `message`, which then is not taken for another node's."""
        with self._changed:
            self._links.sending(_identity_of(message))

    def conflict(self, parent: str, child: str) -> TfOutcome | None:
        """What speaks against making `parent` the parent of `child`."""
        with self._changed:
            now_s = self._now_s()
            present = self._links.parent_of(child, now_s)
            is_loop = child in self._links.ancestors_of(parent, now_s)
        if present:
            topic = "/tf_static" if present.static else "/tf"
            if present.parent == parent:
                detail = (
                    f"another node publishes {child} under {parent} on {topic} already; stop one of the two"
                )
            else:
                detail = (
                    f"frame {child} has the parent {present.parent} already, from {topic}, and a second one, {parent}, "
                    "would break the tree; choose another tf_mode, or stop that publisher"
                )
            return TfOutcome(False, "parent_present", detail)
        if is_loop:
            detail = f"frame {parent} hangs from {child} already: the other way round would be a loop"
            return TfOutcome(False, "loop", detail)
        return None

    def lookup(self, target_frame: str, source_frame: str, stamp: Time, timeout_s: float) -> SE3 | TfOutcome:
        """`target_from_source` at that time, waited for where the tree has not come that far; or why there is none."""
        if target_frame == source_frame:
            return SE3.identity()
        frames, deadline_s = (target_frame, source_frame), time.monotonic() + timeout_s
        with self._changed:
            while True:
                try:
                    return se3_from_transform(self._buffer.lookup_transform(*frames, stamp).transform)
                except TransformException as error:
                    left_s = deadline_s - time.monotonic()
                    if self._closed or left_s <= 0 or not self._may_come(*frames, stamp):
                        detail = (
                            f"no transform from {source_frame} to {target_frame} at the image's time: {error}"
                        )
                        return TfOutcome(False, "no_transform", detail)
                self._changed.wait(left_s)

    def motion(self, frame: str, fixed_frame: str, earlier: Time, later: Time) -> SE3 | None:
        """`earlier_from_later` of a frame that moves in a fixed one, up to the newest that is known; None without.

        It does not wait: the odometry may be some milliseconds behind the image.
        """
        newest = Time()  # not before `earlier`, where that is known
        with self._changed:
            for known in (later, newest):
                with contextlib.suppress(TransformException):
                    found = self._buffer.lookup_transform_full(frame, earlier, frame, known, fixed_frame)
                    return se3_from_transform(found.transform)
        return None

    def _may_come(self, target_frame: str, source_frame: str, stamp: Time) -> bool:
        """Whether the frames are connected, but not up to that time yet."""
        try:
            latest = self._buffer.lookup_transform(target_frame, source_frame, Time())
        except TransformException:
            return False
        return Time.from_msg(latest.header.stamp).nanoseconds < stamp.nanoseconds

    # On the executor's thread.

    def _on_transforms(self, message: TFMessage, *, static: bool) -> None:
        started_over = False
        with self._changed:
            if self._closed:
                return
            now_s = self._now_s()
            for transform in message.transforms:
                if self._links.is_own(_identity_of(transform)):
                    continue
                try:
                    started_over |= self._hear(transform, now_s, static=static)
                except Exception as error:  # whatever another node sends costs that transform
                    self._ignore(transform, error)
            self._changed.notify_all()
        if started_over:
            self._on_restart()

    def _hear(self, transform: TransformStamped, now_s: float, *, static: bool) -> bool:
        """Take one transform; whether it tells that a recording started over.

        Raises:
            RelocError: it is none.
        """
        child, parent = transform.child_frame_id.lstrip("/"), transform.header.frame_id.lstrip("/")
        if transform.header.stamp.sec < 0:
            raise RelocError(f"it is stamped {transform.header.stamp.sec} s, before all time that ROS knows")
        if not child or not parent:
            raise RelocError("one of its frames has no name")
        se3_from_transform(transform.transform)
        self._links.heard(parent, child, now_s, static=static)
        if static:
            self._static_heard = True
            self._buffer.set_transform_static(transform, "tf_static")
            return False
        accepted = self._accepted(child, transform)
        if started_over := len(accepted) > 1:
            self.restart()
        for each in accepted:
            self._newest_ns[child] = max(self._newest_ns.get(child, 0), _stamp_ns(each))
            self._buffer.set_transform(each, "tf")
        return started_over

    def _ignore(self, transform: TransformStamped, error: Exception) -> None:
        names = f"{transform.header.frame_id} to {transform.child_frame_id}"
        self._tell(f"a transform from {names} is ignored: {first_line(error)}")

    def _tell(self, problem: str) -> None:
        if not self.problem:
            self._node.get_logger().warning(problem)
        self._problem, self._problem_s = problem, time.monotonic()

    def _accepted(self, child: str, transform: TransformStamped) -> list[TransformStamped]:
        """This transform; none where it is far older than the newest; several where such ones are all that comes."""
        ahead_ns = _stamp_ns(transform) - self._newest_ns.get(child, _stamp_ns(transform))
        behind, now_s = self._behind.setdefault(child, []), time.monotonic()
        if ahead_ns < -STARTED_OVER_NS:
            behind.append(transform)
            if (
                len(behind) < STARTED_OVER_MESSAGES
                or now_s - self._skewed_s.get(child, -math.inf) < PROBLEM_S
            ):
                del behind[:-STARTED_OVER_MESSAGES]
                return []
            self._restarted_s[child] = now_s
            return list(behind)
        came_back = ahead_ns > STARTED_OVER_NS and now_s - self._restarted_s.get(child, -math.inf) < PROBLEM_S
        if behind or came_back:  # between newer ones, so nothing has started over
            self._skewed_s[child] = now_s
            self._tell(
                f"{child} is told by two publishers whose clocks differ; the older transforms are left out"
            )
        behind.clear()
        return [transform]

    def _now_s(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9


def _stamp_ns(message: TransformStamped) -> int:
    return Time.from_msg(message.header.stamp).nanoseconds


def _identity_of(message: TransformStamped) -> Hashable:
    """What tells a transform from every other; numbers survive the way over DDS to the last bit."""
    q, t, stamp = message.transform.rotation, message.transform.translation, message.header.stamp
    names = message.header.frame_id, message.child_frame_id
    return names, (stamp.sec, stamp.nanosec), (t.x, t.y, t.z), (q.x, q.y, q.z, q.w)
