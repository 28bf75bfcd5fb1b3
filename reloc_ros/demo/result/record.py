"""What the demo saw: each published picture, the truth about it, and what the node made of it; then the verdict."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np

from reloc_ros.demo.film.trajectories import Trajectory
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.stream.status import State

WRONG_CM = 10.0
WRONG_DEG = 5.0
"""A published pose that is off by more than either is wrong."""
MIN_LOCALIZED_SHARE = 0.9
"""Of the pictures in view that the node looked at."""
MIN_LOOKED_AT_SHARE = 0.5
"""Of all pictures: below, the machine was too slow for the run to mean anything."""
MAX_STRANGE_TRANSFORM = 1e-4
"""Metres and degrees by which a transform may differ from the pose of the same stamp."""


class View(enum.Enum):
    """What a picture of the walk shows."""

    IN_VIEW = "in view"
    TURNING = "turning"
    """The mapped place is leaving the picture, or coming back: either answer is right."""
    AWAY = "away"


@dataclasses.dataclass(frozen=True)
class Report:
    """What the node's status said of one picture."""

    state: State
    reason: str
    keypoints: int
    inliers: int
    latency_ms: float
    """From the start of work on the picture to its result."""
    pose_published: bool = False
    """Its pose is here, or on its way."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sighting:
    """One published picture and all that is known of it."""

    index: int
    """In the trajectory."""
    time_s: float
    """In the trajectory's time."""
    truth: SE3
    """camera_from_map."""
    view: View
    report: Report | None
    """None: the node has not spoken of it; a newer picture overtook it, or it is on its way."""
    estimate: SE3 | None
    """camera_from_map as published on ~/pose; None: no pose was published."""
    transform: SE3 | None
    """camera_from_map as broadcast on TF."""
    delay_ms: float | None
    """From the picture's stamp to the arrival of its pose."""

    @property
    def is_told(self) -> bool:
        """The node has said all that it will say of it."""
        return self.report is not None and (self.estimate is not None or not self.report.pose_published)

    @property
    def error_cm(self) -> float:
        return 100 * center_error(self.estimate, self.truth) if self.estimate else np.nan

    @property
    def error_deg(self) -> float:
        return rotation_error_deg(self.estimate, self.truth) if self.estimate else np.nan

    @property
    def is_wrong(self) -> bool:
        return self.error_cm > WRONG_CM or self.error_deg > WRONG_DEG


class Record:
    """Collects messages in whatever order they come and joins them by their stamps (nanoseconds)."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._index_of_truth = {_key(pose): index for index, pose in enumerate(trajectory.camera_from_map)}
        self._truths: dict[int, int] = {}
        self._reports: dict[int, Report] = {}
        self._poses: dict[int, tuple[SE3, int]] = {}
        self._transforms: dict[int, SE3] = {}
        self.dropped = 0
        """Pictures that reached the node but were overtaken by newer ones, as it counts them."""

    def add_truth(self, stamp_ns: int, camera_from_map: SE3) -> None:
        """The publisher sent the truth of a picture; which one of the walk it is, the pose itself tells."""
        index = self._index_of_truth.get(_key(camera_from_map))
        if index is not None:
            self._truths[stamp_ns] = index

    def add_report(self, stamp_ns: int, report: Report) -> None:
        self._reports[stamp_ns] = report

    def add_pose(self, stamp_ns: int, camera_from_map: SE3, arrival_ns: int) -> None:
        self._poses[stamp_ns] = (camera_from_map, arrival_ns)

    def add_transform(self, stamp_ns: int, camera_from_map: SE3) -> None:
        self._transforms[stamp_ns] = camera_from_map

    def sightings(self, newest: int | None = None) -> list[Sighting]:
        """All pictures in the order of their stamps, or the newest ones only."""
        stamps = sorted(self._truths)
        return [self._sighting(stamp) for stamp in (stamps if newest is None else stamps[-newest:])]

    def _sighting(self, stamp_ns: int) -> Sighting:
        index, walk = self._truths[stamp_ns], self._trajectory
        estimate, arrival_ns = self._poses.get(stamp_ns, (None, None))
        view = View.IN_VIEW if walk.in_view[index] else View.AWAY if walk.away[index] else View.TURNING
        return Sighting(
            index=index,
            time_s=float(walk.times_s[index]),
            truth=walk.camera_from_map[index],
            view=view,
            report=self._reports.get(stamp_ns),
            estimate=estimate,
            transform=self._transforms.get(stamp_ns),
            delay_ms=None if arrival_ns is None else 1e-6 * (arrival_ns - stamp_ns),
        )


def _key(pose: SE3) -> tuple[float, ...]:
    return tuple(np.round(pose.center, 6) + 0.0)


@dataclasses.dataclass(frozen=True)
class Summary:
    """The run in numbers; shares are of the pictures that the node looked at."""

    published: int
    looked_at: int
    dropped: int
    in_view: int
    in_view_localized: int
    away: int
    away_with_pose: int
    away_lost: int
    """State LOST, not merely no pose."""
    poses: int
    wrong: int
    strange_transforms: int
    """Poses without a transform of the same stamp, or with another one."""
    median_cm: float
    p95_cm: float
    median_deg: float
    p95_deg: float
    latency_p50_ms: float
    latency_p99_ms: float
    """From a picture's stamp to the arrival of its pose."""
    work_p50_ms: float
    """Of that, the node's work on the picture."""

    def complaints(self) -> list[str]:
        """Why the run is not good; empty when it is."""
        found = []
        if self.looked_at < MIN_LOOKED_AT_SHARE * self.published or self.looked_at == 0:
            found.append(
                f"the node looked at {self.looked_at} of {self.published} pictures; "
                f"{100 * MIN_LOOKED_AT_SHARE:.0f} % are needed to judge it"
            )
        if self.wrong:
            found.append(
                f"{self.wrong} published poses are off by more than {WRONG_CM:g} cm or {WRONG_DEG:g} deg"
            )
        if self.away_with_pose:
            found.append(f"{self.away_with_pose} poses were published while the camera looked away")
        if self.in_view_localized < MIN_LOCALIZED_SHARE * self.in_view:
            found.append(
                f"{self.in_view_localized} of {self.in_view} pictures in view were localized; "
                f"{100 * MIN_LOCALIZED_SHARE:.0f} % are asked for"
            )
        if self.strange_transforms:
            found.append(f"{self.strange_transforms} poses came without the transform that goes with them")
        return found


def summarize(sightings: Sequence[Sighting], dropped: int = 0) -> Summary:
    """Judge a run."""
    seen = [s for s in sightings if s.report is not None or s.estimate is not None]
    in_view = [s for s in seen if s.view is View.IN_VIEW]
    away = [s for s in seen if s.view is View.AWAY]
    posed = [s for s in seen if s.estimate is not None]
    median_cm, p95_cm = _percentiles([s.error_cm for s in posed], 50, 95)
    median_deg, p95_deg = _percentiles([s.error_deg for s in posed], 50, 95)
    p50_ms, p99_ms = _percentiles([s.delay_ms for s in posed if s.delay_ms is not None], 50, 99)
    (work_ms,) = _percentiles([s.report.latency_ms for s in seen if s.report is not None], 50)
    return Summary(
        published=len(sightings),
        looked_at=len(seen),
        dropped=dropped,
        in_view=len(in_view),
        in_view_localized=sum(s.estimate is not None for s in in_view),
        away=len(away),
        away_with_pose=sum(s.estimate is not None for s in away),
        away_lost=sum(s.report is not None and s.report.state is State.LOST for s in away),
        poses=len(posed),
        wrong=sum(s.is_wrong for s in posed),
        strange_transforms=sum(_is_strange(s) for s in posed),
        median_cm=median_cm,
        p95_cm=p95_cm,
        median_deg=median_deg,
        p95_deg=p95_deg,
        latency_p50_ms=p50_ms,
        latency_p99_ms=p99_ms,
        work_p50_ms=work_ms,
    )


def _is_strange(sighting: Sighting) -> bool:
    pose, transform = sighting.estimate, sighting.transform
    return (
        pose is None
        or transform is None
        or (
            center_error(pose, transform) > MAX_STRANGE_TRANSFORM
            or rotation_error_deg(pose, transform) > MAX_STRANGE_TRANSFORM
        )
    )


def _percentiles(values: Sequence[float], *shares: float) -> list[float]:
    finite = [value for value in values if np.isfinite(value)]
    return [float(np.percentile(finite, share)) if finite else float("nan") for share in shares]
