"""How many of a map's images are where they truly were, whatever its frame and scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import SE3
from reloc_ros.offline.model.similarity import Similarity, fit_similarity

Array = NDArray[np.float64]
MAX_CENTER_SHARE, MAX_ANGLE_DEG = 0.02, 2.0
"""An image is right within this share of the true centres' extent and this angle."""


@dataclass(frozen=True)
class Placement:
    """Of all images of a walk: which were placed where they truly were, and which elsewhere."""

    images: int
    right: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def right_share(self) -> float:
        return len(self.right) / self.images

    @property
    def wrong_share(self) -> float:
        return len(self.wrong) / self.images


def judge_placement(camera_from_model: Mapping[str, SE3], camera_from_map: Mapping[str, SE3]) -> Placement:
    """Compare with the truth under the similarity that makes most images right.

    Args:
        camera_from_model: the placed images, by name.
        camera_from_map: the truth of all images.
    """
    names = sorted(set(camera_from_model) & set(camera_from_map))
    model = [camera_from_model[name] for name in names]
    truth = [camera_from_map[name] for name in names]
    if len(names) < 3:
        return Placement(len(camera_from_map), (), tuple(names))
    centers, true_centers = (np.array([pose.center for pose in poses]) for poses in (model, truth))
    rotations, true_rotations = (np.array([pose.rotation for pose in poses]) for poses in (model, truth))
    # Both turn a direction of the model into one of the map, as each image by itself has it.
    turns = np.einsum("nji,njk->nik", true_rotations, rotations)
    every = np.array([pose.center for pose in camera_from_map.values()])
    tolerance = MAX_CENTER_SHARE * float(np.linalg.norm(np.ptp(every, axis=0)))

    def is_right(map_from_model: Similarity) -> NDArray[np.bool_]:
        off = np.linalg.norm(map_from_model.apply(centers) - true_centers, axis=1)
        cosines = (np.einsum("nij,ij->n", turns, map_from_model.rotation) - 1) / 2
        return (off <= tolerance) & (np.degrees(np.arccos(np.clip(cosines, -1, 1))) <= MAX_ANGLE_DEG)

    best = np.zeros(len(names), dtype=bool)
    for i in range(len(names)):
        for j in range(len(names)):
            length = float(np.linalg.norm(centers[i] - centers[j]))
            if i == j or length == 0:
                continue
            scale = float(np.linalg.norm(true_centers[i] - true_centers[j])) / length
            guess = Similarity(scale, turns[i], true_centers[i] - scale * turns[i] @ centers[i])
            good = is_right(guess)
            if good.sum() >= 3:
                again = is_right(fit_similarity(true_centers[good], centers[good]))
                good = again if again.sum() > good.sum() else good
            if good.sum() > best.sum():
                best = good
    right = tuple(name for name, good in zip(names, best, strict=True) if good)
    return Placement(len(camera_from_map), right, tuple(sorted(set(names) - set(right))))
