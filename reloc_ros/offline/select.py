"""Choose landmarks: points tracked long and from a wide angle, so that every view sees enough of them, well spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.label import Labels, Visibility, label_images
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sfm import SfmModel

MIN_TRACK = 5
"""A point seen by fewer map images is too likely an accident of matching."""
MAX_ERROR_QUANTILE = 0.8
"""The worst fifth of the points by reprojection error is not considered."""
MAX_CANDIDATES = 4000
CELLS_ACROSS = 6
"""Each view is divided into this many columns and rows; a landmark in an empty cell is worth most."""
MIN_DISTANCE = 0.015
"""Two landmarks are never closer than this share of the cloud's extent: the network could not tell them apart."""


def select_landmarks(model: SfmModel, count: int, progress: Progress = silent) -> Landmarks:
    """Pick `count` landmarks greedily, each the point that helps most where least is visible.

    A candidate's gain is its quality times the sum, over the views that see it, of 1 / (1 + n)^4 / (1 + m): n
    landmarks are already visible in that view, m of them in the same cell of the picture. So poor views are served
    first, and within a view the landmarks spread. All thresholds are relative to the scene.

    Raises:
        RelocError: when the model has too few well-tracked points.
    """
    if count < 8:
        raise RelocError(f"--count must be at least 8 landmarks to localize from, got {count}")
    candidates = _candidates(model)
    if len(candidates) < count:
        raise RelocError(
            f"the model has {len(candidates)} points seen by at least {MIN_TRACK} map images, fewer than the "
            f"{count} landmarks asked for; lower --count or map with more images"
        )
    labels = label_images(model, candidates, progress=progress)
    tracks = np.bincount(model.observation_point, minlength=len(model.points_map))
    tracks = tracks[np.searchsorted(model.point_ids, candidates.ids)]
    quality = np.sqrt(tracks) * (0.2 + np.sin(np.minimum(candidates.view_cones_rad, np.pi / 2)))
    picked = _greedy(candidates.positions_map, _cells_seen(model, labels), quality, count)
    return candidates.subset(picked)


def _candidates(model: SfmModel) -> Landmarks:
    tracks = np.bincount(model.observation_point, minlength=len(model.points_map))
    directions, cones = view_cones(model)
    error_limit = np.quantile(model.errors_px, MAX_ERROR_QUANTILE)
    usable = np.flatnonzero((tracks >= MIN_TRACK) & (model.errors_px <= error_limit))
    usable = np.sort(usable[np.argsort(-tracks[usable], kind="stable")][:MAX_CANDIDATES])
    return Landmarks(model.point_ids[usable], model.points_map[usable], directions[usable], cones[usable])


def view_cones(model: SfmModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per point, the mean unit direction towards the cameras that saw it (P, 3) and the cone's half-angle (P,)."""
    centers = np.array([pose.center for pose in model.camera_from_map])
    rays = centers[model.observation_image] - model.points_map[model.observation_point]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    means = np.zeros_like(model.points_map)
    np.add.at(means, model.observation_point, rays)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    cosines = np.einsum("ij,ij->i", rays, means[model.observation_point])
    smallest = np.ones(len(means))
    np.minimum.at(smallest, model.observation_point, cosines)
    return means, np.arccos(np.clip(smallest, -1, 1))


def _cells_seen(model: SfmModel, labels: Labels) -> NDArray[np.int64]:
    """(I, P) the cell of view i in which candidate p is seen, -1 where it is not."""
    sizes = np.array([(model.cameras[int(c)].width, model.cameras[int(c)].height) for c in model.camera_ids])
    with np.errstate(invalid="ignore"):
        cells = np.floor((labels.keypoints_px + 0.5) / sizes[:, None] * CELLS_ACROSS)
        cells = np.nan_to_num(cells, nan=0).clip(0, CELLS_ACROSS - 1).astype(np.int64)
    flat = cells[..., 1] * CELLS_ACROSS + cells[..., 0]
    return np.where(labels.visibility == Visibility.SEEN, flat, -1)


def _greedy(
    positions: NDArray[np.float64], cells: NDArray[np.int64], quality: NDArray[np.float64], count: int
) -> NDArray[np.int64]:
    """Indices (count,) of the picked candidates; ties go to the lower index, so the choice is deterministic."""
    low, high = np.quantile(positions, [0.05, 0.95], axis=0)
    distance = MIN_DISTANCE * float(np.linalg.norm(high - low))
    least = 1e-3 * distance
    views = np.arange(len(cells))[:, None]
    seen = cells >= 0
    free = np.ones(len(positions), dtype=bool)
    per_view = np.zeros(len(cells))
    per_cell = np.zeros((len(cells), CELLS_ACROSS**2))
    picked: list[int] = []
    while len(picked) < count:
        if not free.any():  # crowded: the rest must come closer, in the end as close as they are
            distance = distance / 2 if distance > least else -1.0
            apart = np.linalg.norm(positions[:, None] - positions[picked], axis=2).min(axis=1)
            free = apart > distance
            free[picked] = False
            continue
        need = seen / (1 + per_view[:, None]) ** 4 / (1 + per_cell[views, cells])
        best = int(np.argmax(np.where(free, quality * need.sum(axis=0), -np.inf)))
        picked.append(best)
        free &= np.linalg.norm(positions - positions[best], axis=1) > distance
        per_view += seen[:, best]
        per_cell[views[seen[:, best], 0], cells[seen[:, best], best]] += 1
    return np.array(picked)
