"""Measure a localizer on the held-out images: recall, errors, and where the time goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.localizer import NO_KEYPOINTS, Keypoints, Localized, Lost
from reloc_ros.offline.measuring.conditions import ALL, CONDITIONS
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.photographs import read_photo

Localize = Callable[[NDArray[np.uint8], Camera], Localized | Lost]

MAX_ROTATION_DEG = 5.0
MAX_POSITION_PERCENT = 5.0
MAX_POSITION_M = 0.05
CHI_SQUARE_95 = 12.592
"""Of six degrees of freedom: the error of an honest pose lies in this region of its covariance 19 times of 20."""


@dataclasses.dataclass(frozen=True)
class Query:
    """An image whose pose is known."""

    name: str
    camera: Camera
    camera_from_map: SE3


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one image gave; errors are None when it was lost."""

    name: str
    reason: str | None
    """Why it was lost, None when it was localized."""
    rotation_deg: float | None
    position: float | None
    """Error of the camera centre, in the map's unit."""
    position_percent: float | None
    """The same as a share of the median camera-to-landmarks distance."""
    nees: float | None
    """Normalised error squared: of six degrees of freedom, so 6 on average where the covariance is honest."""
    stage_ms: dict[str, float]
    camera_from_map: SE3 | None = dataclasses.field(default=None, compare=False)
    """The pose it gave."""
    keypoints: Keypoints = dataclasses.field(default=NO_KEYPOINTS, compare=False)
    """N of them, in the pixels of the image as its condition left it."""
    inliers: NDArray[np.bool_] = dataclasses.field(
        default_factory=lambda: NO_KEYPOINTS.scores > 0, compare=False
    )
    """(N,) which of them agree with the pose."""

    def to_json(self) -> dict[str, Any]:
        """Everything but the keypoints."""
        pose = self.camera_from_map
        shallow = {name: getattr(self, name) for name in _FIGURES}
        if pose is None:
            return shallow | {"camera_from_map": None}
        entry = {"rotation_wxyz": pose.quaternion_wxyz.tolist(), "translation": pose.translation.tolist()}
        return shallow | {"camera_from_map": entry}


_FIGURES = ("name", "reason", "rotation_deg", "position", "position_percent", "nees", "stage_ms")


@dataclasses.dataclass(frozen=True)
class Score:
    """The outcomes of one method under one condition."""

    method: str
    condition: str
    outcomes: tuple[Outcome, ...]
    metric: bool

    @property
    def recall(self) -> float:
        """Share within (5 cm, 5 deg) when the map is metric, else within (5 %, 5 deg); lost is a miss."""
        return float(np.mean([self._is_within(outcome) for outcome in self.outcomes]))

    @property
    def lost(self) -> int:
        return sum(outcome.reason is not None for outcome in self.outcomes)

    def median(self, field: str) -> float:
        """Median of an error over the localized images; NaN when there are none."""
        values = [getattr(outcome, field) for outcome in self.outcomes if outcome.reason is None]
        return float(np.median(values)) if values else float("nan")

    @property
    def nees_mean(self) -> float:
        """Over the localized images; NaN when there are none."""
        values = [outcome.nees for outcome in self.outcomes if outcome.reason is None]
        return float(np.mean(values)) if values else float("nan")

    @property
    def nees_within_95(self) -> float:
        """Share of the localized images whose error lies in the 95 % region of the covariance; NaN without any."""
        values = [outcome.nees for outcome in self.outcomes if outcome.reason is None]
        return float(np.mean(np.array(values) <= CHI_SQUARE_95)) if values else float("nan")

    def stage_ms(self, percentile: float) -> dict[str, float]:
        """Percentile of each stage's time, over the localized images where there are any."""
        timed = [o.stage_ms for o in self.outcomes if o.reason is None] or [o.stage_ms for o in self.outcomes]
        stages = list(dict.fromkeys(stage for times in timed for stage in times))
        return {
            s: float(np.percentile([times[s] for times in timed if s in times], percentile)) for s in stages
        }

    def _is_within(self, outcome: Outcome) -> bool:
        if outcome.reason is not None:
            return False
        near = (
            outcome.position < MAX_POSITION_M
            if self.metric
            else outcome.position_percent < MAX_POSITION_PERCENT
        )
        return bool(near and outcome.rotation_deg < MAX_ROTATION_DEG)

    def to_json(self) -> dict[str, Any]:
        nothing = self.lost == len(self.outcomes)  # JSON has no NaN
        return {
            "method": self.method,
            "condition": self.condition,
            "images": len(self.outcomes),
            "lost": self.lost,
            "recall": self.recall,
            "recall_within": "5 cm, 5 deg" if self.metric else "5 %, 5 deg",
            "median_rotation_deg": None if nothing else self.median("rotation_deg"),
            "median_position": None if nothing else self.median("position"),
            "median_position_percent": None if nothing else self.median("position_percent"),
            "nees_mean": None if nothing else self.nees_mean,
            "nees_median": None if nothing else self.median("nees"),
            "nees_within_95": None if nothing else self.nees_within_95,
            "median_ms": self.stage_ms(50),
            "p95_ms": self.stage_ms(95),
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
        }


def held_out_queries(model: SfmModel, held_out: NDArray[np.bool_]) -> list[Query]:
    """The registered images that the map was not made with."""
    queries = [
        Query(model.names[i], model.camera(i), model.camera_from_map[i])
        for i in np.flatnonzero(held_out).tolist()
    ]
    if not queries:
        raise RelocError(
            "no registered image is held out, so there is nothing to evaluate; map with --holdout every:10:0"
        )
    return queries


def evaluate(
    methods: dict[str, Localize],
    queries: Sequence[Query],
    images_dir: Path,
    distance: float,
    metric: bool,
    conditions: Sequence[str] = ("clean",),
    progress: Progress = silent,
) -> list[Score]:
    """Score each method under each condition on the same images.

    Args:
        methods: by name; each localizes an image with its camera.
        distance: the median camera-to-landmarks distance that position errors are a share of.
        metric: whether the map's unit is the metre.
    """
    check_conditions(conditions)
    outcomes: dict[tuple[str, str], list[Outcome]] = {(m, c): [] for c in conditions for m in methods}
    for done, query in enumerate(queries):
        image = read_photo(images_dir / query.name)
        for condition in conditions:
            degraded, camera = CONDITIONS[condition](image, query.camera)
            for method, localize in methods.items():
                outcomes[method, condition].append(_outcome(query, localize(degraded, camera), distance))
        progress("evaluate", done + 1, len(queries))
    return [Score(method, condition, tuple(found), metric) for (method, condition), found in outcomes.items()]


def check_conditions(conditions: Sequence[str]) -> None:
    """Refuse conditions that are not there, before any work is done."""
    unknown = [condition for condition in conditions if condition not in CONDITIONS]
    if unknown or not conditions:
        named = f"unknown condition {unknown[0]!r}" if unknown else "no condition is given"
        raise RelocError(f"{named}; use {ALL} or some of {', '.join(CONDITIONS)}")


def normalised_error_squared(found: SE3, covariance: NDArray[np.float64], true: SE3) -> float:
    """NEES of a camera_from_map with its covariance (6, 6) of map_from_camera, as `Localized` has them.

    See Bar-Shalom et al., "Estimation with Applications to Tracking and Navigation", 2001, section 5.4.
    """
    step = found.center - true.center
    turn = SE3(found.rotation.T @ true.rotation, np.zeros(3)).rotation_vector
    error = np.concatenate([step, turn])
    # Metres and radians differ in size: scaled to a unit diagonal, the matrix is as well conditioned as can be.
    sigmas = np.sqrt(np.diag(covariance))
    scaled = error / sigmas
    return float(scaled @ np.linalg.solve(covariance / np.outer(sigmas, sigmas), scaled))


def _outcome(query: Query, result: Localized | Lost, distance: float) -> Outcome:
    found = {"stage_ms": result.stage_ms, "keypoints": result.keypoints, "inliers": result.inliers}
    if isinstance(result, Lost):
        return Outcome(query.name, result.reason.value, None, None, None, None, **found)
    pose, true = result.camera_from_map, query.camera_from_map
    position = center_error(pose, true)
    nees = normalised_error_squared(pose, result.covariance, true)
    errors = rotation_error_deg(pose, true), position, 100 * position / distance, nees
    return Outcome(query.name, None, *errors, camera_from_map=pose, **found)
