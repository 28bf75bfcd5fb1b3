"""`/diagnostics`: the node's health in the form that robot monitors read."""

from __future__ import annotations

import math
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Header

from reloc_ros.msg import RelocStatus
from reloc_ros.ros.output.status import COUNTS
from reloc_ros.stream.health import HealthSummary
from reloc_ros.stream.status import State

PERIOD_S = 1.0
_TO_MEND = (
    "failed",
    "waiting_for_image",
    "waiting_for_camera_info",
    "bad_camera_info",
    "bad_image",
    "image_failed",
    "images_stopped",
)
"""Reasons to be lost that are no matter of what the camera sees."""
_IDLE = ("not_configured", "not_active", "nobody_listens")
HEARS_ALL = "fit"
"""What is said of subscriptions that hear every publisher."""


class Diagnostics:
    """Publishes once a second, for as long as the node is there."""

    def __init__(self, node: Node, make: Callable[[], list[DiagnosticStatus]]) -> None:
        self._node, self._make = node, make
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Not on the ROS clock: who waits for a simulated clock has something to say too.
        node.create_timer(PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._publisher.publish(DiagnosticArray(header=header, status=self._make()))


def diagnostic_from(
    name: str,
    lifecycle: str,
    status: RelocStatus,
    health: HealthSummary,
    problem: str,
    ignored: str,
    bundle: str,
) -> DiagnosticStatus:
    """Everything a robot's monitor wants to know.

    Args:
        lifecycle: the node's state, such as active.
        problem: of the subscriptions, as a sentence; empty when there is none.
        ignored: what other nodes sent that could not be used, likewise.
    """
    level, message = _judgement(status, problem)
    values = {
        "lifecycle": lifecycle,
        "state": State(status.state).name.lower(),
        "reason": status.reason,
        "detail": status.detail,
        "subscriptions": problem or HEARS_ALL,
        "ignored": ignored or "nothing",
        "transform": status.transform or "as configured",
        "map": bundle,
        "map_frame": status.map_frame,
        "scale": "metres" if status.scale_known else "unknown",
        "backend": status.backend,
        "rate": _number(health.rate_hz, "Hz"),
        "latency p50": _number(1e3 * health.latency_p50_s, "ms"),
        "latency p99": _number(1e3 * health.latency_p99_s, "ms"),
        "age p50": _number(1e3 * health.age_p50_s, "ms"),
        "lost": _number(100 * health.lost_share, "%"),
        **{f"images {name}": str(getattr(status, f"frames_{name}")) for name in COUNTS},
    }
    return DiagnosticStatus(
        level=level,
        name=f"{name}: localization",
        message=message,
        hardware_id=bundle,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _judgement(status: RelocStatus, problem: str) -> tuple[bytes, str]:
    told = status.detail or status.reason
    if status.reason in _TO_MEND:
        return DiagnosticStatus.ERROR, problem or told
    if problem:
        return DiagnosticStatus.ERROR, problem
    if status.reason in _IDLE:
        return DiagnosticStatus.OK, told
    if status.state == RelocStatus.LOST:
        return DiagnosticStatus.WARN, f"lost: {told}"
    if status.state == RelocStatus.DEGRADED or (told and status.transform != "listening"):
        return DiagnosticStatus.WARN, told
    return DiagnosticStatus.OK, "tracking"


def _number(value: float, unit: str) -> str:
    return "none" if math.isnan(value) else f"{value:.1f} {unit}"
