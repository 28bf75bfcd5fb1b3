"""The pose error of map images that training does not see: with it the best weights are kept.           (torch)"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc_ros.bundle import Bundle, NetworkShape
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.inference.letterbox import Letterbox
from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localizer
from reloc_ros.offline.measuring.conditions import CONDITIONS
from reloc_ros.offline.measuring.evaluate import Query, outcome_of
from reloc_ros.offline.measuring.scores import Outcome, Score
from reloc_ros.offline.model.holdout import parse_holdout
from reloc_ros.offline.training.fit import LandmarkTraining
from reloc_ros.offline.training.recipe import AUTO
from reloc_ros.offline.training.stored_images import StoredImage

logger = logging.getLogger(__name__)

VALIDATE_FROM, VALIDATE_EVERY = 0.2, 0.05
"""Shares of the schedule."""
AUTO_EVERY = 10
AUTO_SET = 20
"""Of fewer images none can be spared."""
AUTO_MIN, AUTO_MAX = 4, 24
VALIDATION_CONDITIONS = ("clean", "noise", "darker")
"""Of what the robot will meet, what the network finds hardest."""
BATCH = 16


def validation_images(
    names: Sequence[str], rule: str = AUTO, copy_of: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Which map images training shall not see: (N,) bool.

    `auto` takes every tenth in name order, evenly spread, at least 4 and at most 24, and none of fewer than 20;
    every rule of a hold-out can be given, too. Copies of an image are taken with it, and count as one for `auto`.

    Args:
        copy_of: (N,) the first image that shows the same as each, see `copies_among`; itself where it is no copy.
    """
    alike = np.arange(len(names)) if copy_of is None else copy_of
    if rule != AUTO:
        held_out = parse_holdout(rule).is_held_out(names)
        chosen = np.isin(alike, alike[held_out])
        if chosen.all() and not held_out.all():
            raise RelocError(
                f"validation '{rule}' with the copies of its images takes all {len(names)} and leaves none to train "
                "on; choose fewer"
            )
        return chosen
    ordered = np.argsort(np.array(names), kind="stable")
    pictures = alike[ordered][np.sort(np.unique(alike[ordered], return_index=True)[1])]
    if len(pictures) < AUTO_SET:
        return np.zeros(len(names), dtype=bool)
    count = min(max(round(len(pictures) / AUTO_EVERY), AUTO_MIN), AUTO_MAX)
    places = ((np.arange(count) + 0.5) * len(pictures) / count).astype(int)
    return np.isin(alike, pictures[places])


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """Where the I images of the labels were taken from, and where the landmarks are."""

    landmarks: Landmarks
    cameras: Sequence[Camera]
    camera_from_map: Sequence[SE3]

    def subset(self, rows: NDArray[np.int64]) -> Truth:
        return Truth(self.landmarks, [self.cameras[i] for i in rows], [self.camera_from_map[i] for i in rows])


@dataclasses.dataclass(frozen=True)
class PoseErrors:
    """What the validation images gave under one condition."""

    recall: float
    """Share within (5 %, 5 deg)."""
    rotation_deg: float
    """Median over the images localized; NaN when there are none."""
    position_percent: float
    """The same, as a share of the median distance to the landmarks that each sees."""
    error: float
    """Mean of the larger error as a share of what recall allows, at most 1 an image, and 1 when it is lost."""


class PoseValidator:
    """Finds the poses of some images, as taken and degraded, with the deployed decode, PnP and decision on lost."""

    def __init__(
        self, shape: NetworkShape, images: Sequence[NDArray[np.uint8] | StoredImage], truth: Truth
    ) -> None:
        if not images:
            raise RelocError("there is no image to validate with")
        self.pictures: list[NDArray[np.uint8]] = []
        """Of all images under each condition in turn, of the network's size."""
        self._queries: list[Query] = []
        """Of the pictures."""
        for condition in VALIDATION_CONDITIONS:
            for image, given, pose in zip(images, truth.cameras, truth.camera_from_map, strict=True):
                degraded, camera = CONDITIONS[condition](np.asarray(image), given)
                letterbox = Letterbox(camera.width, camera.height, shape.width, shape.height)
                self.pictures.append(letterbox.apply(degraded))
                self._queries.append(Query(condition, camera.resized(*letterbox.inner_size), pose))
        self._distances = [
            truth.landmarks.distance_from(query.camera, query.camera_from_map) for query in self._queries
        ]
        # Nothing of it is on disk: the localizer asks its bundle for landmarks and sizes only.
        bundle = Bundle(Path(), "unknown", truth.cameras[0], shape, truth.landmarks, {}, {})
        self._found = _Found()
        self._localizer = Localizer(bundle, self._found)

    def __call__(
        self, network: LandmarkNetwork, inputs: Tensor, dtype: torch.dtype = torch.float32
    ) -> dict[str, PoseErrors]:
        """Errors by condition; `inputs` are the pictures, or features of theirs, `dtype` is what to multiply in."""
        outcomes: dict[str, list[Outcome]] = {condition: [] for condition in VALIDATION_CONDITIONS}
        found_in_each = keypoints(network, inputs, dtype)
        for query, distance, found in zip(self._queries, self._distances, found_in_each, strict=True):
            self._found.keypoints = found
            blank = np.zeros((query.camera.height, query.camera.width), dtype=np.uint8)
            result = self._localizer.localize(blank, query.camera)
            outcomes[query.name].append(outcome_of(query, result, distance))
        return {condition: _errors(condition, found) for condition, found in outcomes.items()}


def _errors(condition: str, outcomes: Sequence[Outcome]) -> PoseErrors:
    score = Score("training", condition, tuple(outcomes), metric=False)
    error = float(np.mean([min(outcome.excess(metric=False), 1.0) for outcome in outcomes]))
    return PoseErrors(score.recall, score.median("rotation_deg"), score.median("position_percent"), error)


def mean_error(results: dict[str, PoseErrors]) -> float:
    """One number to compare weights by: the mean over the conditions, between 0 and 1."""
    return float(np.mean([errors.error for errors in results.values()]))


def curve_values(results: dict[str, PoseErrors]) -> dict[str, float]:
    """As the curves name them."""
    values: dict[str, Any] = {"validation_error": mean_error(results)}
    for condition, errors in results.items():
        for field in ("recall", "rotation_deg", "position_percent"):
            values[f"{field}_{condition}"] = getattr(errors, field)
    return values


class _Found:
    """A backend that has looked already."""

    name = "training"
    any_size = False
    attempts = 1
    keypoints: NDArray[np.float32]

    def infer(self, image: NDArray[np.uint8], attempt: int = 0) -> NDArray[np.float32]:
        return self.keypoints


def keypoints(network: LandmarkNetwork, inputs: Tensor, dtype: torch.dtype) -> NDArray[np.float32]:
    """(N, K, 4) as `LandmarkNetwork` returns them, of pictures (N, H, W, 3) or of features (N, C, h, w)."""
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    parts = []
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for part in inputs.split(BATCH):
            part = part.to(device)
            features = network.features(part) if part.dtype == torch.uint8 else part
            parts.append(network.keypoints(features).float().cpu())
    network.train(was_training)
    return torch.cat(parts).numpy()


class Validation(lightning.Callback):
    """Measures the pose error now and then, keeps the best weights, and has training end early once none get better.

    Runs in the first process alone; `Clock` tells the others.
    """

    def __init__(self, measure: Callable[[], dict[str, PoseErrors]], patience: float) -> None:
        self._measure, self._patience = measure, patience
        self._next = VALIDATE_FROM

    def state_dict(self) -> dict[str, Any]:
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._next = state["next"]

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        if not trainer.is_global_zero or (module.fraction < self._next and not module.is_over):
            return
        while self._next <= module.fraction:
            self._next += VALIDATE_EVERY
        results = self._measure()
        for curves in trainer.loggers:
            curves.log_metrics(curve_values(results), step=trainer.global_step)
        keeper, schedule = module.keeper, module.schedule
        keeper.offer(mean_error(results), module.fraction, module.weights)
        logger.info("at %.0f %%: %s", 100 * module.fraction, results)
        # No sooner than with the rate past its height, where the error begins to say what can be reached, and never
        # while most images are lost: a network that has not begun to work is not finished.
        may_end = schedule.cool_from is None and 0.5 <= module.fraction < 1 and keeper.lowest < 0.5
        if may_end and keeper.waited(module.fraction) >= self._patience:
            schedule.cool_from = module.fraction
            logger.info("the pose error falls no more: training comes to its end")
