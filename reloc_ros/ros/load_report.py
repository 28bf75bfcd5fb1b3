"""What the load measurement heard of the node, in figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.msg import RelocStatus

WRONG_M, WRONG_DEG = 0.1, 5.0
"""A pose farther from the truth than that is wrong."""


@dataclasses.dataclass(frozen=True)
class Load:
    """What the node did in the measured time."""

    seconds: float
    backend: str
    expected: int
    """Images that the camera's rate makes in that time."""
    received: int
    localized: int
    lost: int
    dropped: int
    """Overtaken by a newer image before the node began with them."""
    poses: int
    """Published; localized images whose pose the status withheld are not among them."""
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
    """Memory at the beginning and at the end."""
    rss_mb: float


@dataclasses.dataclass(frozen=True)
class HeardPose:
    """One pose, and when it came."""

    arrived_s: float
    stamp_s: float
    stamp_ns: int
    camera_from_map: SE3


@dataclasses.dataclass(frozen=True)
class Usage:
    """Of the node's process."""

    cpu_s: float
    """Since its start."""
    rss_mb: float


def load_from(
    before: RelocStatus,
    statuses: Sequence[RelocStatus],
    poses: Sequence[HeardPose],
    truths: Mapping[int, SE3],
    usages: tuple[Usage, Usage],
    elapsed_s: float,
    rate_hz: float,
) -> Load:
    """The figures of a measured time.

    Args:
        before: the last status before it.
        truths: camera_from_map by the image's stamp in nanoseconds.
        usages: at its beginning and at its end.
    """
    last = statuses[-1] if statuses else before
    delays_ms = np.array([1e3 * (pose.arrived_s - pose.stamp_s) for pose in poses] or [np.nan])
    tenth = max(len(delays_ms) // 10, 1)
    compared = [(pose.camera_from_map, truths[pose.stamp_ns]) for pose in poses if pose.stamp_ns in truths]
    return Load(
        seconds=elapsed_s,
        backend=last.backend,
        expected=round(elapsed_s * rate_hz),
        received=last.frames_received - before.frames_received,
        localized=last.frames_localized - before.frames_localized,
        lost=last.frames_lost - before.frames_lost,
        dropped=last.frames_dropped - before.frames_dropped,
        poses=len(poses),
        compared=len(compared),
        wrong=sum(_is_wrong(pose, truth) for pose, truth in compared),
        stamp_to_pose_p50_ms=float(np.percentile(delays_ms, 50)),
        stamp_to_pose_p99_ms=float(np.percentile(delays_ms, 99)),
        first_tenth_p50_ms=float(np.percentile(delays_ms[:tenth], 50)),
        last_tenth_p50_ms=float(np.percentile(delays_ms[-tenth:], 50)),
        localize_p50_ms=float(np.nanpercentile([1e3 * s.latency_s for s in statuses] or [np.nan], 50)),
        cpu_percent=100 * (usages[1].cpu_s - usages[0].cpu_s) / elapsed_s,
        rss_first_mb=usages[0].rss_mb,
        rss_mb=usages[1].rss_mb,
    )


def _is_wrong(pose: SE3, truth: SE3) -> bool:
    return center_error(pose, truth) > WRONG_M or rotation_error_deg(pose, truth) > WRONG_DEG
