"""The node's part in the TF tree: what it broadcasts, and what it looks up.

REP-105: `map` is the parent of `odom`, `odom` of `base_link`, and the camera hangs from there. A frame has one
parent. So a robot with odometry takes mode map_odom, one without takes map_base, and a camera that nothing else
places takes map_camera.
"""

from __future__ import annotations

import functools
import threading

from builtin_interfaces.msg import Time as Stamp
from geometry_msgs.msg import TransformStamped
from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, Array
from reloc_ros.ros.conversions import transform_from_se3
from reloc_ros.ros.tf.config import NOTHING_TO_DO, PUBLISHED, TfConfig, TfOutcome
from reloc_ros.ros.tf.listener import STARTED_OVER_NS, TfListener
from reloc_ros.ros.tf.placement import Placement, placement
from reloc_ros.stream.correction import CorrectedOdometry, Correction

LATE_S = 10.0
"""An image older than this is not late: its stamp is of another clock."""
AHEAD_S = 1.0
"""The same for one from the future."""
NOT_CORRECTED = ("gated", "uncertain")
"""Reasons for which the odometry stays where the images before have put it."""


class TfTree:
    """Broadcasts by the mode, unless that would give a frame a second parent; looks transforms up.

    Make it early (at configure), so that the tree is known when the first pose comes. `publish` and `lookup` may wait
    for `lookup_timeout_s`: call them on a thread other than the executor's, and hold no lock there that one of the
    node's callbacks takes. Everything may be called on any thread.
    """

    def __init__(self, node: Node, config: TfConfig, former: TfTree | None = None) -> None:
        """Listen to the tree on `node`'s executor (in mode none only if `config.listen`).

        Args:
            former: in whose place this one comes; it is closed.
        """
        self.config = config
        self._node, self._clock = node, node.get_clock()
        self._lock = threading.RLock()  # guards what follows; taken before the listener's own
        self._closed = False
        self._odometry = CorrectedOdometry(config.correction)
        self._standing = NOTHING_TO_DO
        self._last_image_ns = self._last_sent_ns = 0
        self._noted = ""
        broadcasts = config.mode != "none"
        self._listener = TfListener(node, self._restart) if broadcasts or config.listen else None
        self._broadcaster = TransformBroadcaster(node) if broadcasts else None
        if former is not None:
            former.close()
            if self._listener is not None and former._listener is not None:
                self._listener.inherit(former._listener)
        self._timer = None
        if config.mode == "map_odom":
            # On the node's clock: where that stands still there is nothing new to say.
            self._timer = node.create_timer(1 / config.republish_rate_hz, self._on_timer)
        threshold = JumpThreshold(
            min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
        )
        self._jump_handle = self._clock.create_jump_callback(threshold, post_callback=self._on_jump)

    @property
    def problem(self) -> str:
        """What was wrong with a transform of the last seconds, as a sentence; empty when all were good."""
        return self._listener.problem if self._listener is not None else ""

    @property
    def standing(self) -> TfOutcome:
        """Whether map_odom, which goes on without images, does; nothing to say in the other modes."""
        return self._standing

    def close(self) -> None:
        """Stop broadcasting and listening; a lookup that waits ends at once. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._jump_handle.unregister()
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
        if self._listener is not None:
            self._listener.close()
        if self._broadcaster is not None:
            self._node.destroy_publisher(self._broadcaster.pub_tf)

    def publish(self, stamp: Stamp, map_from_camera: SE3, camera_frame: str, covariance: Array) -> TfOutcome:
        """Broadcast what the mode says of a pose that counts.

        map_camera and map_base are stamped as the image. map_odom goes out now and from then on at a steady rate,
        dated `transform_tolerance_s` ahead, images or not: it is how the odometry is placed in the map.

        Args:
            stamp: of the image.
            camera_frame: the optical frame that the image names.
            covariance: (6, 6) of map_from_camera.
        """
        outcome = self._publish(Time.from_msg(stamp), map_from_camera, camera_frame, covariance)
        self._note(outcome)
        return outcome

    def forget(self) -> None:
        """Place the odometry in the map no more, until the next pose."""
        with self._lock:
            self._odometry.forget()

    def lookup(self, target_frame: str, source_frame: str, stamp: Stamp) -> SE3 | TfOutcome:
        """`target_from_source` at the image's time, or why there is none."""
        if self._listener is None:
            raise RelocError("TfTree does not listen; set listen")
        when, timeout_s = Time.from_msg(stamp), self.config.lookup_timeout_s
        return self._listener.lookup(target_frame, source_frame, when, timeout_s)

    def motion(self, frame: str, earlier: Stamp, later: Stamp) -> SE3 | None:
        """`earlier_from_later`: how `frame` moved in odom_frame between two times; None where TF does not tell."""
        if self._listener is None:
            return None
        times = Time.from_msg(earlier), Time.from_msg(later)
        return self._listener.motion(frame, self.config.odom_frame, *times)

    def _publish(self, stamp: Time, map_from_camera: SE3, camera_frame: str, covariance: Array) -> TfOutcome:
        if self.config.mode == "none":
            return NOTHING_TO_DO
        if stamp.nanoseconds == 0:
            return TfOutcome(False, "no_stamp", "the image has no stamp, and a transform needs its time")
        if not camera_frame:
            return TfOutcome(False, "no_frame", "the images name no frame; set camera_frame")
        child = self.config.robot_frame or camera_frame
        if child == self.config.map_frame:
            return TfOutcome(False, "no_frame", f"camera and map are both named {child}; set camera_frame")
        self._notice_restart(stamp)
        if (refusal := self._refusal(child) or self._clock_refusal(stamp)) is not None:
            return refusal
        looked_up = functools.partial(self.lookup, stamp=stamp.to_msg())
        placed = placement(self.config, child, camera_frame, map_from_camera, covariance, looked_up)
        if isinstance(placed, TfOutcome):
            return placed
        with self._lock:
            if self._closed:
                return TfOutcome(False, "closed", "the node has stopped broadcasting")
            if self.config.mode == "map_odom":
                return self._correct(stamp, placed)
            self._send(stamp, child, placed.map_from_child)
            return PUBLISHED

    def _correct(self, stamp: Time, placed: Placement) -> TfOutcome:
        """Take one image's word on the odometry. Under the lock."""
        word = placed.map_from_child, placed.child_from_body, placed.covariance
        correction = Correction(*word, stamp.nanoseconds * 1e-9)
        refused = self._odometry.take(correction, self._clock.now().nanoseconds * 1e-9)
        if refused is not None:
            self._republish()
            return TfOutcome(False, refused.reason, refused.detail)
        if not self._last_sent_ns:  # the first one holds at its image's time, too
            self._send(stamp, self.config.odom_frame, placed.map_from_child)
        return self._republish()

    def _notice_restart(self, stamp: Time) -> None:
        with self._lock:
            if stamp.nanoseconds < self._last_image_ns - STARTED_OVER_NS:
                self._restart()
            self._last_image_ns = stamp.nanoseconds

    def _refusal(self, child: str) -> TfOutcome | None:
        if not self._listener.is_settled:
            return TfOutcome(False, "listening", "listening for who is whose parent in the tree")
        parent = self.config.map_frame
        if self.config.inverse:
            parent, child = child, parent
        return self._listener.conflict(parent, child)

    def _clock_refusal(self, stamp: Time) -> TfOutcome | None:
        """map_odom is dated by the node's clock, so that must be the images' too."""
        ahead_s = (stamp.nanoseconds - self._clock.now().nanoseconds) * 1e-9
        if self.config.mode != "map_odom" or -LATE_S <= ahead_s <= AHEAD_S:
            return None
        side = "ahead of" if ahead_s > 0 else "behind"
        return TfOutcome(
            False,
            "clock_differs",
            f"the image is stamped {abs(ahead_s):.1f} s {side} this node's clock; with a recording, "
            "play its clock and set use_sim_time",
        )

    # On the executor's thread, or under the lock on the publishing one.

    def _on_timer(self) -> None:
        with self._lock:
            outcome = self._republish()
            # What was said of the last image holds until the next.
            if outcome is not NOTHING_TO_DO and (outcome.reason or self._noted not in NOT_CORRECTED):
                self._note(outcome)

    def _republish(self) -> TfOutcome:
        self._standing = self._sent_again()
        return self._standing

    def _sent_again(self) -> TfOutcome:
        now_ns = self._clock.now().nanoseconds
        if self._closed or not now_ns:
            return NOTHING_TO_DO
        if problem := self._odometry.age_problem(now_ns * 1e-9):
            return TfOutcome(False, "too_old", problem)
        dated_ns = now_ns + round(self.config.transform_tolerance_s * 1e9)
        behind_ns = self._last_sent_ns - dated_ns
        if behind_ns > STARTED_OVER_NS:  # of a clock that does not tell of its jumps
            self._restart()
        map_from_odom = self._odometry.map_from_odom(now_ns * 1e-9)
        if map_from_odom is None:
            return NOTHING_TO_DO
        if (refusal := self._refusal(self.config.odom_frame)) is not None:
            return refusal
        if behind_ns > 0:
            detail = (
                f"this node's clock went back: {self.config.odom_frame} is placed again in {behind_ns * 1e-9:.2f} s, "
                "when it is past what was told"
            )
            return TfOutcome(False, "clock_differs", detail)
        if behind_ns < 0:  # listeners warn about a stamp that comes twice
            self._last_sent_ns = dated_ns
            self._send(Time(nanoseconds=dated_ns), self.config.odom_frame, map_from_odom)
        return PUBLISHED

    def _send(self, stamp: Time, child: str, map_from_child: SE3) -> None:
        parent, transform = self.config.map_frame, map_from_child
        if self.config.inverse:
            parent, child, transform = child, parent, map_from_child.inverse()
        message = TransformStamped(
            header=Header(stamp=stamp.to_msg(), frame_id=parent),
            child_frame_id=child,
            transform=transform_from_se3(transform),
        )
        self._listener.sending(message)
        self._broadcaster.sendTransform(message)

    def _on_jump(self, _: TimeJump) -> None:
        if self._listener is not None:
            self._listener.restart()
        self._restart()

    def _restart(self) -> None:
        """Time went back: what was so then is not so now, until the next pose."""
        with self._lock:
            self._odometry.forget()
            self._last_image_ns = self._last_sent_ns = 0

    def _note(self, outcome: TfOutcome) -> None:
        """Log a new reason, once."""
        with self._lock:
            new, self._noted = outcome.reason != self._noted, outcome.reason
        if new and outcome.reason not in ("", "listening", "closed"):
            what = "map_odom is not corrected" if outcome.reason in NOT_CORRECTED else "nothing broadcast"
            self._node.get_logger().warning(f"{what}: {outcome.detail}")
        elif new and outcome.published:
            self._node.get_logger().info("broadcasting transforms")
