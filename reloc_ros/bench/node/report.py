"""What the load measurement heard of the node, in figures."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from reloc_ros.geometry import SE3, Array, center_error, rotation_error_deg
from reloc_ros.msg import RelocStatus

WRONG_DEG = 5.0
WRONG_SHARE = 0.1
"""A pose farther from the truth than that share of the map's size is wrong; in a map in metres 10 cm."""


@dataclasses.dataclass(frozen=True)
class Load:
    """What the node did in the measured time."""

    seconds: float
    backend: str
    expected: int
    """Images that the camera's rate makes in that time."""
    sent: int | None
    """Images that the camera sent, as its truths tell."""
    received: int
    """By the node; the others were lost on the way."""
    localized: int
    lost: int
    dropped: int
    """Overtaken by a newer image before the node began with them."""
    skipped: int
    """Not looked at, by the rate limit."""
    poses: int
    """Published."""
    without_pose: dict[str, int]
    """Images that were looked at and for which none was published, by the reason."""
    compared: int
    """Poses for which the truth was told."""
    wrong: int
    """Of these."""
    stamp_to_pose_p50_ms: float
    """From the image's stamp to the arrival of its pose in another process."""
    stamp_to_pose_p99_ms: float
    first_tenth_p50_ms: float
    """The same at the beginning of the measured time, and at its end: it must not grow."""
    last_tenth_p50_ms: float
    localize_p50_ms: float
    """The part of it from the begin of work on the image to its result."""
    cpu_percent: float
    """Of one core, by the node."""
    rss_first_mb: float
    """Memory in the first and the last tenth of the time (medians), and the most of it."""
    rss_mb: float
    rss_max_mb: float


@dataclasses.dataclass(frozen=True)
class HeardPose:
    """One pose, and when it came."""

    arrived_s: float
    stamp_s: float
    stamp_ns: int
    camera_from_map: SE3


@dataclasses.dataclass(frozen=True)
class Recovery:
    """After one fault."""

    fault: str
    began_s: float
    ended_s: float
    """Once poses had come again, or were waited for no longer."""
    seconds: float | None
    """From the first sound image after the fault to a pose; None when none came in time."""


@dataclasses.dataclass(frozen=True)
class Soak:
    """What faults did to the node."""

    faults: int
    stuck: list[str]
    """After which no pose came again."""
    recovery_s: dict[str, list[float]]
    """By the fault, see `Recovery.seconds`."""
    calm_p50_ms: float
    """From the stamp of an image to its pose, outside of the faults."""
    calm_p99_ms: float
    rss_mb_per_h: float
    """The slope of the memory's line of best fit, and of that through the second half of the time."""
    rss_later_mb_per_h: float


@dataclasses.dataclass(frozen=True)
class Usage:
    """Of the node's process, over the measured time."""

    cpu_s: float
    rss_mb: Sequence[float]
    """At even times."""


def load_from(
    before: RelocStatus,
    statuses: Sequence[RelocStatus],
    poses: Sequence[HeardPose],
    truths: Mapping[int, SE3],
    usage: Usage,
    between_s: tuple[float, float],
    rate_hz: float,
    wrong_beyond: float,
) -> Load:
    """The figures of a measured time.

    Args:
        before: the last status before it.
        truths: camera_from_map by the image's stamp in nanoseconds.
        between_s: its begin and end.
        wrong_beyond: the error of a wrong pose's position, in the map's unit.
    """
    began_s, ended_s = between_s
    last = statuses[-1] if statuses else before
    delays_ms = np.array([1e3 * (pose.arrived_s - pose.stamp_s) for pose in poses] or [np.nan])
    rss_mb = np.array(usage.rss_mb)
    seen = [status for status in statuses if status.header.frame_id]
    compared = [(pose.camera_from_map, truths[pose.stamp_ns]) for pose in poses if pose.stamp_ns in truths]
    return Load(
        seconds=ended_s - began_s,
        backend=last.backend,
        expected=round((ended_s - began_s) * rate_hz),
        sent=sum(began_s <= 1e-9 * stamp_ns < ended_s for stamp_ns in truths) if truths else None,
        received=last.frames_received - before.frames_received,
        localized=last.frames_localized - before.frames_localized,
        lost=last.frames_lost - before.frames_lost,
        dropped=last.frames_dropped - before.frames_dropped,
        skipped=last.frames_skipped - before.frames_skipped,
        poses=len(poses),
        without_pose=dict(collections.Counter(s.reason for s in seen if not s.pose_published)),
        compared=len(compared),
        wrong=sum(_is_wrong(pose, truth, wrong_beyond) for pose, truth in compared),
        stamp_to_pose_p50_ms=float(np.percentile(delays_ms, 50)),
        stamp_to_pose_p99_ms=float(np.percentile(delays_ms, 99)),
        first_tenth_p50_ms=float(np.median(_first_tenth(delays_ms))),
        last_tenth_p50_ms=float(np.median(_first_tenth(delays_ms[::-1]))),
        localize_p50_ms=float(np.nanpercentile([1e3 * s.latency_s for s in statuses] or [np.nan], 50)),
        cpu_percent=100 * usage.cpu_s / (ended_s - began_s),
        rss_first_mb=float(np.median(_first_tenth(rss_mb))),
        rss_mb=float(np.median(_first_tenth(rss_mb[::-1]))),
        rss_max_mb=float(rss_mb.max()),
    )


def soak_from(
    recoveries: Sequence[Recovery],
    poses: Sequence[HeardPose],
    rss_mb: Sequence[float],
    between_s: tuple[float, float],
) -> Soak:
    """Args: rss_mb: the node's memory at even times. between_s: begin and end of the measured time."""
    by_fault: dict[str, list[float]] = {}
    for recovery in recoveries:
        if recovery.seconds is not None:
            by_fault.setdefault(recovery.fault, []).append(recovery.seconds)
    calm = [
        1e3 * (pose.arrived_s - pose.stamp_s)
        for pose in poses
        if not any(each.began_s <= pose.arrived_s <= each.ended_s for each in recoveries)
    ]
    hours, half = (between_s[1] - between_s[0]) / 3600, len(rss_mb) // 2
    return Soak(
        faults=len(recoveries),
        stuck=[recovery.fault for recovery in recoveries if recovery.seconds is None],
        recovery_s=by_fault,
        calm_p50_ms=float(np.percentile(calm or [np.nan], 50)),
        calm_p99_ms=float(np.percentile(calm or [np.nan], 99)),
        rss_mb_per_h=_slope(rss_mb) / hours,
        rss_later_mb_per_h=_slope(rss_mb[half:]) / (hours / 2),
    )


def _slope(values: Sequence[float]) -> float:
    """By how much the line of best fit rises over all of them."""
    return float(np.polyfit(np.linspace(0, 1, len(values)), values, 1)[0])


def _first_tenth(values: Array) -> Array:
    return values[: max(len(values) // 10, 1)]


def _is_wrong(pose: SE3, truth: SE3, wrong_beyond: float) -> bool:
    return center_error(pose, truth) > wrong_beyond or rotation_error_deg(pose, truth) > WRONG_DEG
