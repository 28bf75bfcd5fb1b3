"""Measure methods of localization on the held-out images, under each condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localized, Localizer, Lost
from reloc_ros.offline.measuring.conditions import ALL, CONDITIONS
from reloc_ros.offline.measuring.scores import NETWORK_ALONE, Outcome, Score, normalised_error_squared
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.photographs import read_photo

Localize = Callable[[NDArray[np.uint8], Camera], Localized | Lost]


@dataclasses.dataclass(frozen=True)
class Query:
    """An image whose pose is known."""

    name: str
    camera: Camera
    camera_from_map: SE3


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


def own_methods(localizer: Localizer) -> dict[str, Localize]:
    """What a robot runs and, where that has a second way, the network alone: to be asked in turn about each image."""
    name = f"reloc, {localizer.backend.name}"
    if localizer.second_way is None:
        return {name: localizer.localize}
    config = dataclasses.replace(localizer.config, fallback="off")
    alone = Localizer(localizer.bundle, localizer.backend, config)
    newest: Localized | Lost | None = None

    def whole(image: NDArray[np.uint8], camera: Camera) -> Localized | Lost:
        nonlocal newest
        newest = localizer.localize(image, camera)
        return newest

    def network(image: NDArray[np.uint8], camera: Camera) -> Localized | Lost:
        if isinstance(newest, Localized) and newest.found_by == "network" and "detect" not in newest.stage_ms:
            return newest  # without a look for local features
        return alone.localize(image, camera)

    return {name: whole, NETWORK_ALONE: network}


def evaluate(
    methods: dict[str, Localize],
    queries: Sequence[Query],
    images_dir: Path,
    landmarks: Landmarks,
    metric: bool,
    conditions: Sequence[str] = ("clean",),
    progress: Progress = silent,
) -> list[Score]:
    """Score each method under each condition on the same images.

    Args:
        methods: by name; each localizes an image with its camera.
        landmarks: position errors are a share of the distance to those that the image sees.
        metric: whether the map's unit is the metre.
    """
    check_conditions(conditions)
    outcomes: dict[tuple[str, str], list[Outcome]] = {(m, c): [] for c in conditions for m in methods}
    for done, query in enumerate(queries):
        image = read_photo(images_dir / query.name)
        distance = landmarks.distance_from(query.camera, query.camera_from_map)
        for condition in conditions:
            degraded, camera = CONDITIONS[condition](image, query.camera)
            for method, localize in methods.items():
                outcomes[method, condition].append(outcome_of(query, localize(degraded, camera), distance))
        progress("evaluate", done + 1, len(queries))
    return [Score(method, condition, tuple(found), metric) for (method, condition), found in outcomes.items()]


def check_conditions(conditions: Sequence[str]) -> None:
    """Refuse conditions that are not there, before any work is done."""
    unknown = [condition for condition in conditions if condition not in CONDITIONS]
    if unknown or not conditions:
        named = f"unknown condition {unknown[0]!r}" if unknown else "no condition is given"
        raise RelocError(f"{named}; use {ALL} or some of {', '.join(CONDITIONS)}")


def outcome_of(query: Query, result: Localized | Lost, distance: float) -> Outcome:
    """What localizing one image gave; position errors are a share of `distance`."""
    found = {"stage_ms": result.stage_ms, "found_by": result.found_by}
    if result.found_by != "features":  # whose keypoints are no landmarks
        found |= {"keypoints": result.keypoints, "inliers": result.inliers}
    if isinstance(result, Lost):
        return Outcome(query.name, result.reason.value, None, None, None, None, **found)
    pose, true = result.camera_from_map, query.camera_from_map
    position = center_error(pose, true)
    nees = normalised_error_squared(pose, result.covariance, true)
    errors = rotation_error_deg(pose, true), position, 100 * position / distance, nees
    return Outcome(query.name, None, *errors, camera_from_map=pose, **found)
