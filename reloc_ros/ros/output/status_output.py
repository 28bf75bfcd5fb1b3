"""What the node says of itself: the latched status, and a line in the log when the state changes."""

from __future__ import annotations

import math
import threading

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from reloc_ros.localizer import Localized
from reloc_ros.msg import RelocStatus
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.frame_outcome import FrameCounts, FrameOutcome
from reloc_ros.stream.status import State, Verdict


class StatusVoice:
    """Speaks from the node's construction to its end, so that a failure's reason can always be heard."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._announced = State.LOST  # as everybody knows of a node that just came up
        self.counts = FrameCounts()
        self.last = RelocStatus()
        """The newest status said."""
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._publisher = node.create_publisher(RelocStatus, "~/status", latched)

    def say(
        self,
        verdict: Verdict,
        *,
        loaded: LoadedMap | None = None,
        outcome: FrameOutcome | None = None,
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
            latency_s=outcome.latency_s if outcome else math.nan,
            frame_age_s=age_s if outcome else math.nan,
            scale_known=loaded is not None and loaded.is_metric,
            map_frame=loaded.frame if loaded else "",
            backend=loaded.localizer.backend.name if loaded else "",
            frames_received=self.counts.received,
            frames_localized=self.counts.localized,
            frames_lost=self.counts.lost,
            frames_dropped=self.counts.dropped,
            frames_skipped=self.counts.skipped,
        )
        with self._lock:
            self._announce(verdict)
            self.last = status
            self._publisher.publish(status)
        return status

    def say_idle(self, reason: str, detail: str, loaded: LoadedMap | None = None) -> None:
        """Say why the node does not look at images."""
        self.say(Verdict(State.LOST, False, reason, detail), loaded=loaded)

    def _announce(self, verdict: Verdict) -> None:
        # While lost, the reasons may change with every image: the log tells the first.
        if verdict.state is not self._announced:
            self._node.get_logger().info(f"{verdict.state.name.lower()} {verdict.reason}".rstrip())
        self._announced = verdict.state
