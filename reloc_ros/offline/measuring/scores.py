"""What was measured of each image and of all together, and evaluation.json, which keeps it in the workspace."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.localizer import NO_KEYPOINTS, Keypoints

KIND = "reloc evaluation"
FORMAT = 1
MAX_ROTATION_DEG = 5.0
MAX_POSITION_PERCENT = 5.0
MAX_POSITION_M = 0.05
NETWORK_ALONE = "network alone"
"""The method that has no second way where the network is lost."""
CHI_SQUARE_95 = 12.592
"""Of six degrees of freedom: the error of an honest pose lies in this region of its covariance 19 times of 20."""


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
    """The same as a share of the median distance to the landmarks that the image sees."""
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
    found_by: str = "network"
    """What found the keypoints, and the pose by them; with local features, none of the keypoints are kept."""

    def excess(self, metric: bool) -> float:
        """The larger of its errors as a share of what still counts as localized; infinite when it was lost."""
        if self.reason is not None:
            return float("inf")
        position = self.position / MAX_POSITION_M if metric else self.position_percent / MAX_POSITION_PERCENT
        return max(self.rotation_deg / MAX_ROTATION_DEG, position)

    def to_json(self) -> dict[str, Any]:
        """Everything but the keypoints."""
        entry = {name: getattr(self, name) for name in ("name", "reason", *_ERRORS, "stage_ms", "found_by")}
        pose = self.camera_from_map
        written = pose and {
            "rotation_wxyz": pose.quaternion_wxyz.tolist(),
            "translation": pose.translation.tolist(),
        }
        return entry | {"camera_from_map": written}


_ERRORS = ("rotation_deg", "position", "position_percent", "nees")


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
        return float(np.mean([outcome.excess(self.metric) < 1 for outcome in self.outcomes]))

    @property
    def lost(self) -> int:
        return sum(outcome.reason is not None for outcome in self.outcomes)

    @property
    def by_features(self) -> int:
        """Images localized by local features."""
        return sum(outcome.reason is None and outcome.found_by == "features" for outcome in self.outcomes)

    def errors(self, field: str) -> NDArray[np.float64]:
        """(L,) one kind of error, or `nees`, of the localized images."""
        return np.array(
            [getattr(each, field) for each in self.outcomes if each.reason is None], dtype=np.float64
        )

    def median(self, field: str) -> float:
        """Median of an error over the localized images; NaN when there are none."""
        return _or_nan(np.median, self.errors(field))

    @property
    def nees_mean(self) -> float:
        """Over the localized images; NaN when there are none."""
        return _or_nan(np.mean, self.errors("nees"))

    @property
    def nees_within_95(self) -> float:
        """Share of the localized images whose error lies in the 95 % region of the covariance; NaN without any."""
        return _or_nan(np.mean, self.errors("nees") <= CHI_SQUARE_95)

    def stage_ms(self, percentile: float) -> dict[str, float]:
        """Percentile of each stage's time, over the localized images where there are any."""
        timed = [o.stage_ms for o in self.outcomes if o.reason is None] or [o.stage_ms for o in self.outcomes]
        stages = list(dict.fromkeys(stage for times in timed for stage in times))
        return {
            s: float(np.percentile([times[s] for times in timed if s in times], percentile)) for s in stages
        }

    def to_json(self) -> dict[str, Any]:
        figures = {
            "median_rotation_deg": self.median("rotation_deg"),
            "median_position": self.median("position"),
            "median_position_percent": self.median("position_percent"),
            "nees_mean": self.nees_mean,
            "nees_median": self.median("nees"),
            "nees_within_95": self.nees_within_95,
        }
        return {
            "method": self.method,
            "condition": self.condition,
            "images": len(self.outcomes),
            "lost": self.lost,
            "recall": self.recall,
            "recall_within": "5 cm, 5 deg" if self.metric else "5 %, 5 deg",
            **{
                name: None if np.isnan(value) else value for name, value in figures.items()
            },  # JSON has no NaN
            "median_ms": self.stage_ms(50),
            "p95_ms": self.stage_ms(95),
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
        }


def _or_nan(figure: Callable[..., Any], values: NDArray[Any]) -> float:
    return float(figure(values)) if len(values) else float("nan")


def normalised_error_squared(found: SE3, covariance: NDArray[np.float64], true: SE3) -> float:
    """NEES of a camera_from_map with its covariance (6, 6) of map_from_camera, as `Localized` has them."""
    step = found.center - true.center
    turn = SE3(found.rotation.T @ true.rotation, np.zeros(3)).rotation_vector
    return nees(np.concatenate([step, turn]), covariance)


def nees(error: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """Normalised error squared of (D,) with its covariance (D, D): D on average where that is honest.

    See Bar-Shalom et al., "Estimation with Applications to Tracking and Navigation", 2001, section 5.4.
    """
    # Metres and radians differ in size: scaled to a unit diagonal, the matrix is as well conditioned as can be.
    sigmas = np.sqrt(np.diag(covariance))
    scaled = error / sigmas
    return float(scaled @ np.linalg.solve(covariance / np.outer(sigmas, sigmas), scaled))


def write_evaluation(path: Path, scores: Sequence[Score]) -> None:
    """Write scores, atomically; of the first method, the network's, with the keypoints of every image."""
    ours = scores[0].method
    entries = [score.to_json() for score in scores]
    for score, entry in zip(scores, entries, strict=True):
        if score.method == ours:
            entry["outcomes"] = [
                written | {"keypoints": _keypoints_to_json(outcome)}
                for written, outcome in zip(entry["outcomes"], score.outcomes, strict=True)
            ]
    facts = {"kind": KIND, "format": FORMAT, "metric": scores[0].metric, "scores": entries}
    with atomic_path(path) as temporary:  # indented, each number would have a line of its own
        temporary.write_text(json.dumps(facts, allow_nan=False) + "\n", encoding="utf-8")


def write_scores(path: Path, scores: Sequence[Score]) -> None:
    """Write the figures of `reloc eval` for other programs, atomically."""
    write_json(path, {"format": FORMAT, "scores": [score.to_json() for score in scores]})


def read_evaluation(path: Path) -> tuple[Score, ...]:
    """Read what `write_evaluation` wrote.

    Raises:
        RelocError: when it is not there, damaged, or of another format.
    """
    again = "run `reloc eval` again"
    try:
        facts = read_json(path)
        if facts["kind"] != KIND:
            raise ValueError(f"its kind is {facts['kind']!r}")
        if not facts["scores"]:
            raise ValueError("it holds no scores")
        if facts["format"] == FORMAT:
            return tuple(_score(entry, bool(facts["metric"])) for entry in facts["scores"])
    except FileNotFoundError as error:
        raise RelocError(f"'{path}' does not exist; {again}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RelocError(f"'{path}' is damaged; {again}") from error
    raise RelocError(f"'{path}' has format {facts['format']!r}, this version reads {FORMAT}; {again}")


def _keypoints_to_json(outcome: Outcome) -> dict[str, Any]:
    found = outcome.keypoints
    return {
        "landmarks": found.landmarks.tolist(),
        "positions_px": np.round(found.positions_px, 2).tolist(),
        "scores": np.round(found.scores, 3).tolist(),
        "sigmas_px": np.round(found.sigmas_px, 2).tolist(),
        "inliers": outcome.inliers.astype(int).tolist(),
    }


def _score(entry: dict[str, Any], metric: bool) -> Score:
    outcomes = tuple(_outcome(each) for each in entry["outcomes"])
    if not outcomes:
        raise ValueError("a score of no images")
    return Score(str(entry["method"]), str(entry["condition"]), outcomes, metric)


def _outcome(entry: dict[str, Any]) -> Outcome:
    pose, found = entry["camera_from_map"], entry.get("keypoints")
    further: dict[str, Any] = {"found_by": str(entry.get("found_by", "network"))}
    if pose is not None:
        further["camera_from_map"] = SE3.from_quaternion_wxyz(pose["rotation_wxyz"], pose["translation"])
    if found is not None:
        further["keypoints"] = Keypoints(
            np.array(found["landmarks"], dtype=np.int64),
            np.array(found["positions_px"], dtype=np.float64).reshape(-1, 2),
            np.array(found["scores"], dtype=np.float64),
            np.array(found["sigmas_px"], dtype=np.float64),
        )
        further["inliers"] = np.array(found["inliers"], dtype=bool)
        arrays = vars(further["keypoints"]).values()
        if any(len(array) != len(further["inliers"]) for array in arrays):
            raise ValueError("keypoints of unequal numbers")
    errors = [entry[name] for name in _ERRORS]
    if (entry["reason"] is None) != all(isinstance(error, (int, float)) for error in errors):
        raise ValueError("errors of a lost image, or none of a localized one")
    return Outcome(str(entry["name"]), entry["reason"], *errors, dict(entry["stage_ms"]), **further)
