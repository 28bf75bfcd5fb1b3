"""Read what a workspace holds, whichever steps have been run."""

from __future__ import annotations

import csv
import dataclasses
import functools
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.nested_text import read_json
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.measuring.scores import Score, read_evaluation
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import map_model
from reloc_ros.offline.pruning.pruned import Pruned, read_pruned
from reloc_ros.offline.workspace import Workspace
from reloc_ros.scene_size import median_distance

Summary = Mapping[str, Any]
Curves = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Of each quantity the training steps (N,) at which it was noted, and its values (N,)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Facts:
    """Everything the report is made from. What its step has not made yet is None."""

    workspace: Workspace
    model: SfmModel
    """Of all registered images, held-out ones included."""
    held_out: NDArray[np.bool_]
    """(I,) which of the model's images the map does not know."""
    known: SfmModel
    """The model without them."""
    summaries: Mapping[str, Summary | None]
    """What each step noted."""
    landmarks: Landmarks | None
    pruned: Pruned
    """What is left out since it has moved."""
    labels: Labels | None
    """Of images of `known`."""
    curves: Curves | None
    scores: tuple[Score, ...] | None
    """What was measured, the network's own scores first."""
    scores_are_current: bool
    """Whether they are of the network and the map frame that the workspace holds now."""
    stale: tuple[str, ...]
    """Sentences on results that belong to an earlier state of the workspace."""

    @property
    def metric(self) -> bool:
        return self.workspace.scale == "metric"

    @property
    def scored_in_metres(self) -> bool:
        """Whether errors were measured in metres: the map may have been aligned later."""
        return bool(self.scores) and self.scores[0].metric

    @property
    def unit(self) -> str:
        return "m" if self.metric else "units"

    @property
    def ours(self) -> tuple[Score, ...]:
        """The network's scores, one per condition."""
        scores = self.scores or ()
        return tuple(score for score in scores if score.method == scores[0].method)

    @property
    def distance(self) -> float:
        """Median distance from the cameras to the landmarks, or to the points while there are none."""
        points = self.known.points_map if self.landmarks is None else self.landmarks.positions_map
        return median_distance(self.known.centers_map, points)

    @functools.cached_property
    def row(self) -> Mapping[str, int]:
        """The index of each of the model's images by its name."""
        return {name: index for index, name in enumerate(self.model.names)}

    @functools.cached_property
    def left_out(self) -> dict[str, list[str]]:
        """The images that are not in the map, by why: those of each part that was found beside it, for one."""
        sparse = self.workspace.path / "sfm" / "sparse"
        part_of, dropped = parts_beside(sparse), set((self.summaries["map"] or {}).get("dropped", ()))
        reasons: dict[str, list[str]] = {}
        for name in self.workspace.image_names:
            if name not in self.row:
                why = DISAGREES if name in dropped else part_of.get(name, "found no place")
                reasons.setdefault(why, []).append(name)
        return reasons


DISAGREES = "placed where their matches do not agree"
"""Why images are left out that the pictures show nevertheless."""


def parts_beside(sparse: Path) -> dict[str, str]:
    """Which other part images were placed in, by their names, in words."""
    try:
        parts = read_json(sparse / "parts.json")["parts"]
        others = list(enumerate(parts))[1:]
        return {name: f"in a part of its own, no. {number + 1}" for number, part in others for name in part}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


STEPS = ("map", "clean", "align", "select", "label", "train", "calibrate", "export", "evaluate")


def collect(workspace: Workspace) -> Facts:
    """Read it all.

    Raises:
        RelocError: when there is no model yet, or what a step wrote is damaged.
    """
    from reloc_ros.offline import steps

    model = SfmModel.load(workspace.model_path)
    held_out = workspace.is_held_out(model.names)
    summaries = {step: _summary(workspace, step) for step in STEPS}
    stale: list[str] = []
    landmarks = Landmarks.load(workspace.landmarks_path) if workspace.landmarks_path.exists() else None
    labels = Labels.load(workspace.labels_path) if workspace.labels_path.exists() else None
    if labels is not None and (landmarks is None or labels.visibility.shape[1] != len(landmarks)):
        stale.append("The landmarks changed after reloc label: the labels are left out.")
        labels = None
    known = map_model(workspace)
    if labels is not None:
        kept = np.isin(labels.names, known.names)
        names = tuple(itertools.compress(labels.names, kept))
        labels = Labels(names, labels.keypoints_px[kept], labels.visibility[kept])
    scores = read_evaluation(workspace.evaluation_path) if workspace.evaluation_path.exists() else None
    if scores is not None and _names_strange_landmarks(scores, landmarks):
        stale.append("The landmarks changed after reloc eval: its figures are left out.")
        scores = None
    for step, verb in (("calibrate", "export"), ("export", "export"), ("evaluate", "eval")):
        made = summaries[step] is not None and (step != "evaluate" or scores is not None)
        if made and not steps.is_of_this_network(workspace, step):
            stale.append(
                f"The map, the network or how poses are judged changed after the step '{step}': its figures are of "
                f"before; run reloc {verb} again."
            )
    return Facts(
        workspace=workspace,
        model=model,
        held_out=held_out,
        known=known,
        summaries=summaries,
        landmarks=landmarks,
        pruned=read_pruned(workspace),
        labels=labels,
        curves=read_curves(workspace.train_dir / "run" / "curves" / "metrics.csv"),
        scores=scores,
        scores_are_current=scores is not None and steps.is_of_this_network(workspace, "evaluate"),
        stale=tuple(dict.fromkeys(stale)),
    )


def read_curves(path: Path) -> Curves | None:
    """Lightning's metrics.csv; None when there is none.

    Raises:
        RelocError: when it is damaged.
    """
    if not path.is_file():
        return None
    curves: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                step = float(row.pop("step"))
                for name, value in row.items():
                    if value:
                        curves.setdefault(name, []).append((step, float(value)))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RelocError(f"'{path}' is damaged; run `reloc train` again, or remove it") from error
    return {name: (np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for name, pairs in curves.items()}


def _summary(workspace: Workspace, step: str) -> Summary | None:
    summary = workspace.summary(step)
    if summary is not None and not isinstance(summary, Mapping):
        raise RelocError(
            f"'{workspace.path / 'workspace.json'}' is damaged: the summary of step '{step}' is no mapping; "
            f"run that step again"
        )
    return summary


def _names_strange_landmarks(scores: tuple[Score, ...], landmarks: Landmarks | None) -> bool:
    count = 0 if landmarks is None else len(landmarks)
    found = (outcome.keypoints.landmarks for score in scores for outcome in score.outcomes)
    return any(len(rows) and not (rows.min() >= 0 and rows.max() < count) for rows in found)
