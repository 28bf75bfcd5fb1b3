"""What the node says of itself: the latched status, and a line in the log when the state changes."""

from __future__ import annotations

import dataclasses
import math
import threading
import time

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from reloc_ros.localizer import Localized
from reloc_ros.msg import RelocStatus
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.input.image_outcome import ImageOutcome
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.tf.config import TfOutcome
from reloc_ros.stream.status import State, Verdict


@dataclasses.dataclass
class ImageCounts:
    """Of the images since the node started; each number is written by one thread at a time."""

    received: int = 0
    localized: int = 0
    lost: int = 0
    dropped: int = 0
    """Overtaken by a newer one before work on them began."""
    skipped: int = 0
    """Not looked at, by the rate limit."""


LOST_AFTER_S = 1.0
"""Without a pose, until the log says why."""
REMIND_AFTER_S = 60.0
"""Until it says the same reason again."""
COUNTS = tuple(field.name for field in dataclasses.fields(ImageCounts))


class StatusPublisher:
    """There from the node's construction to its end, so that a failure's reason can always be heard."""

    def __init__(self, node: Node, name: str = "", counts: ImageCounts | None = None) -> None:
        """Begin.

        Args:
            name: of the camera that it speaks of, where it is one of several; empty: it speaks of all.
            counts: of that camera's images.
        """
        self._node, self._name = node, name
        self._lock = threading.Lock()
        self._logged = State.LOST  # as everybody knows of a node that just came up
        self._standing = ""
        self._lost_since_s: float | None = None
        self._told_s: dict[str, float] = {}
        self._counts = {} if counts is None else {name: counts}
        self.last = RelocStatus()
        """The newest status published."""
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._publisher = node.create_publisher(
            RelocStatus, f"~/{name}/status" if name else "~/status", latched
        )

    def close(self) -> None:
        self._node.destroy_publisher(self._publisher)

    def counts_of(self, camera: str) -> ImageCounts:
        """The counts of one camera's images; here they are added up."""
        return self._counts.setdefault(camera, ImageCounts())

    def publish(
        self,
        verdict: Verdict,
        *,
        loaded: LoadedMap | None = None,
        outcome: ImageOutcome | None = None,
        transform: str = "",
    ) -> RelocStatus:
        """Publish what is so now, of one image or of none.

        Args:
            loaded: the map in use.
            transform: why no transform was broadcast, as a word.
        """
        now = self._node.get_clock().now()
        header = outcome.header if outcome else Header(stamp=now.to_msg())
        result = outcome.result if outcome else None
        age_s = now.nanoseconds * 1e-9 - seconds_from_stamp(header.stamp)
        status = RelocStatus(
            header=header,
            state=int(verdict.state),
            pose_published=verdict.publish,
            reason=verdict.reason,
            detail=verdict.detail,
            transform=transform,
            keypoints=len(result.keypoints) if result else 0,
            inliers=int(np.count_nonzero(result.inliers)) if result else 0,
            reprojection_rms_px=result.reprojection_rms_px if isinstance(result, Localized) else math.nan,
            tracked=isinstance(result, Localized) and result.tracked,
            found_by=result.found_by if isinstance(result, Localized) else "",
            latency_s=outcome.latency_s if outcome else math.nan,
            frame_age_s=age_s if outcome else math.nan,
            scale_known=loaded is not None and loaded.is_metric,
            map_frame=loaded.frame if loaded else "",
            backend=loaded.localizer.backend.name if loaded else "",
            **{f"frames_{name}": self._count(name) for name in COUNTS},
        )
        with self._lock:
            self._log(verdict)
            self.last = status
            self._publisher.publish(status)
        return status

    def publish_idle(self, reason: str, detail: str, loaded: LoadedMap | None = None) -> None:
        """Publish why the node does not look at images."""
        self.publish(Verdict(State.LOST, False, reason, detail), loaded=loaded)

    def tell_of_transform(self, standing: TfOutcome, loaded: LoadedMap) -> None:
        """Call it now and then: map_odom, which goes on without images, may stop without one."""
        last, before = self.last, self._standing
        self._standing = standing.reason
        if standing.reason in (before, last.transform) or not standing.reason:
            return
        verdict = Verdict(State(last.state), False, last.reason, standing.detail)
        self.publish(verdict, loaded=loaded, transform=standing.reason)

    def tell_why_lost(self) -> None:
        """Call it now and then: the log says why there has been no pose for a second, and then rarely."""
        now_s, last = time.monotonic(), self.last
        if last.state != RelocStatus.LOST or last.reason == "nobody_listens":
            self._lost_since_s = None
            return
        self._lost_since_s = self._lost_since_s or now_s
        lost_s = now_s - self._lost_since_s
        told_s = self._told_s.get(last.reason, -math.inf)
        if lost_s >= LOST_AFTER_S and now_s - told_s >= REMIND_AFTER_S and last.reason != "confirming":
            self._told_s[last.reason] = now_s
            self._node.get_logger().warning(f"no pose for {lost_s:.0f} s ({last.reason}): {last.detail}")

    def _count(self, name: str) -> int:
        return sum(getattr(counts, name) for counts in list(self._counts.values()))

    def _log(self, verdict: Verdict) -> None:
        # While lost, the reasons may change with every image: the log tells the first.
        if verdict.state is not self._logged:
            whose = f"{self._name}: " if self._name else ""
            self._node.get_logger().info(f"{whose}{verdict.state.name.lower()} {verdict.reason}".rstrip())
        self._logged = verdict.state
