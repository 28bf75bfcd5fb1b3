"""evaluation.json: what `reloc eval` measured, kept in the workspace so that a report can tell and show it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.localizer import Keypoints
from reloc_ros.offline.measuring.evaluate import Outcome, Score

KIND = "reloc evaluation"
FORMAT = 1


def write_evaluation(path: Path, scores: Sequence[Score]) -> None:
    """Write scores, atomically; of the first method, the network's, with the keypoints of every image."""
    ours = scores[0].method
    entries = []
    for score in scores:
        outcomes = [_outcome_to_json(outcome, score.method == ours) for outcome in score.outcomes]
        entries.append(score.to_json() | {"outcomes": outcomes})
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
        facts = json.loads(path.read_text(encoding="utf-8"))
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


def _outcome_to_json(outcome: Outcome, with_keypoints: bool) -> dict[str, Any]:
    entry = outcome.to_json()
    if with_keypoints:
        found = outcome.keypoints
        entry["keypoints"] = {
            "landmarks": found.landmarks.tolist(),
            "positions_px": np.round(found.positions_px, 2).tolist(),
            "scores": np.round(found.scores, 3).tolist(),
            "sigmas_px": np.round(found.sigmas_px, 2).tolist(),
            "inliers": outcome.inliers.astype(int).tolist(),
        }
    return entry


def _score(entry: dict[str, Any], metric: bool) -> Score:
    outcomes = tuple(_outcome(each) for each in entry["outcomes"])
    if not outcomes:
        raise ValueError("a score of no images")
    return Score(str(entry["method"]), str(entry["condition"]), outcomes, metric)


def _outcome(entry: dict[str, Any]) -> Outcome:
    pose, found = entry["camera_from_map"], entry.get("keypoints")
    further: dict[str, Any] = {}
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
    errors = [entry[name] for name in ("rotation_deg", "position", "position_percent", "nees")]
    if (entry["reason"] is None) != all(isinstance(error, (int, float)) for error in errors):
        raise ValueError("errors of a lost image, or none of a localized one")
    return Outcome(str(entry["name"]), entry["reason"], *errors, dict(entry["stage_ms"]), **further)
