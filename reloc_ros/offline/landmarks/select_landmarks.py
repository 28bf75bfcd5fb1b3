"""Choose landmarks: points tracked long and from a wide angle, so that every view sees enough of them, well spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks, joined
from reloc_ros.offline.landmarks.spread import (
    CELL_HOLDS,
    CELLS_ACROSS,
    VIEW_NEEDS,
    Selection,
    cells_seen,
    spread_of_counts,
)
from reloc_ros.offline.landmarks.visibility import seen_pairs
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.picture_cells import cells_of_pixels, ranks_in_groups

FEWEST, MOST = 20, 500
"""However many the views need, it is not fewer than this and, unless told otherwise, not more than that."""
LEAST = 8
"""Whoever chooses them: fewer are not enough to localize from."""
MIN_TRACK = 5
"""A point seen by fewer map images is too likely an accident of matching."""
MAX_ERROR_QUANTILE = 0.8
"""The worst fifth of the points by reprojection error is not considered."""
CELL_CANDIDATES = 4
"""The best of each cell of each view compete for it,"""
CANDIDATES = 12_000
"""and in small maps as many of the others as make so many in all."""
SEPARATION = 0.02
"""Two landmarks are, in a typical view of one, no closer than this share of the picture's width."""


def select_landmarks(
    model: SfmModel,
    count: int | None = None,
    most: int = MOST,
    progress: Progress = silent,
    kept: Landmarks | None = None,
) -> Selection:
    """Pick landmarks greedily, each the point that helps most where least is visible.

    A candidate's gain is its quality times the sum, over the views that see it, of 1 / (1 + n)^4 / (1 + m): n
    landmarks are already visible in that view, m of them in the same cell of the picture. So poor views are served
    first, and within a view the landmarks spread. All thresholds are relative to the scene.

    Args:
        count: how many; without it, as many, up to `most`, as it takes for every view to see `VIEW_NEEDS`
            well-spread ones, or as many as the model lets it see.
        kept: landmarks that stay, and come first; others are added to them where views need more.

    Raises:
        RelocError: when the model has too few well-tracked points.
    """
    if count is not None and count < LEAST:
        raise RelocError(f"--count must be at least {LEAST} landmarks to localize from, got {count}")
    if most < FEWEST:
        raise RelocError(f"--max must be at least {FEWEST} landmarks, got {most}")
    candidates, quality, reach = _candidates(model)
    if len(candidates) < (count or FEWEST):
        raise RelocError(
            f"the model has {len(candidates)} points seen by at least {MIN_TRACK} map images, fewer than the "
            f"{count or FEWEST} landmarks asked for; lower --count or map with more images"
        )
    if kept is not None:
        others = np.flatnonzero(~np.isin(candidates.ids, kept.ids))
        candidates = joined(kept, candidates.subset(others))
        # The size of a picture is about the same everywhere.
        reach, quality = (
            np.concatenate([np.full(len(kept), np.median(values)), values[others]])
            for values in (reach, quality)
        )
    seen = cells_seen(seen_pairs(model, candidates, progress), len(candidates), model.image_sizes)
    greedy = _Greedy(candidates.positions_map, reach, quality, seen)
    for row in range(0 if kept is None else len(kept)):
        greedy.take(row)
    if count is None:
        greedy.pick(most, only_needy=True)
        greedy.pick(min(FEWEST, most))
    else:
        greedy.pick(count)
    picked = np.array(greedy.picked)
    return Selection(candidates.subset(picked), seen[picked], greedy.attainable)


def attainable_spread(model: SfmModel) -> NDArray[np.int64]:
    """(I,) how many well-spread landmarks each image would see if every point fit for one were one."""
    candidates, *_ = _candidates(model)
    seen = cells_seen(seen_pairs(model, candidates), len(candidates), model.image_sizes)
    return spread_of_counts(seen.sum(axis=0))


def parse_count(text: str) -> int | None:
    """A number of landmarks, or None for "auto"."""
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise RelocError(f"--count is a whole number or auto, not {text!r}") from None


def _candidates(model: SfmModel) -> tuple[Landmarks, NDArray[np.float64], NDArray[np.float64]]:
    """The points that compete, their quality (P,), and how far others must keep from each (P,) in map units."""
    tracks = model.track_lengths
    points = cloud_landmarks(model)
    quality = np.sqrt(tracks) * (0.2 + np.sin(np.minimum(points.view_cones_rad, np.pi / 2)))
    usable = (tracks >= MIN_TRACK) & (model.errors_px <= np.quantile(model.errors_px, MAX_ERROR_QUANTILE))
    rows = _best_of_each_cell(model, np.where(usable, quality, -np.inf))
    return points.subset(rows), quality[rows], SEPARATION * picture_widths(model)[rows]


def _best_of_each_cell(model: SfmModel, quality: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows, ascending, of the points to consider; quality -inf keeps a point out.

    The best of the whole scene alone would leave views with few good points without candidates.
    """
    images, points = model.observation_image, model.observation_point
    cells = cells_of_pixels(model.observation_px, model.image_sizes[images], CELLS_ACROSS)
    best_first = np.argsort(-quality, kind="stable")
    places = np.argsort(best_first)
    ranks = np.full(len(quality), np.iinfo(np.int64).max)
    np.minimum.at(ranks, points, ranks_in_groups(images * CELLS_ACROSS**2 + cells, places[points]))
    usable = best_first[np.isfinite(quality[best_first])]
    turns = ranks[usable] // CELL_CANDIDATES
    count = max(CANDIDATES, np.count_nonzero(turns == 0))
    return np.sort(usable[np.argsort(turns, kind="stable")][:count])


def picture_widths(model: SfmModel) -> NDArray[np.float64]:
    """(P,) what a view of each point spans from left to right at the point's distance, the mean over its views."""
    centers = model.centers_map[model.observation_image]
    distances = np.linalg.norm(model.points_map[model.observation_point] - centers, axis=1)
    cameras = [model.camera(index) for index in range(len(model.names))]
    spans = np.array([camera.width / camera.fx for camera in cameras])[model.observation_image]
    sums = np.bincount(model.observation_point, distances * spans, minlength=len(model.points_map))
    return sums / np.maximum(model.track_lengths, 1)


def view_cones(
    points_map: NDArray[np.float64], seen_point: NDArray[np.integer], centers_map: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per point, the mean unit direction towards the cameras that saw it (P, 3) and the cone's half-angle (P,).

    Args:
        points_map: (P, 3)
        seen_point: (M,) of each observation, the point.
        centers_map: (M, 3) and its camera's centre.
    """
    rays = centers_map - points_map[seen_point]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    means = np.zeros_like(points_map)
    np.add.at(means, seen_point, rays)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    cosines = np.einsum("ij,ij->i", rays, means[seen_point])
    smallest = np.ones(len(means))
    np.minimum.at(smallest, seen_point, cosines)
    return means, np.arccos(np.clip(smallest, -1, 1))


def cloud_landmarks(model: SfmModel) -> Landmarks:
    """Every point of the model, in its order, as the landmark that it would be."""
    directions, cones = view_cones(
        model.points_map, model.observation_point, model.centers_map[model.observation_image]
    )
    return Landmarks(model.point_ids, model.points_map, directions, cones)


class _Greedy:
    """The choice so far; ties go to the lower index, so it is deterministic."""

    def __init__(
        self,
        positions: NDArray[np.float64],
        reach: NDArray[np.float64],
        quality: NDArray[np.float64],
        seen: csr_array,
    ) -> None:
        self.picked: list[int] = []
        self._positions, self._reach, self._quality, self._seen = positions, reach, quality, seen
        self._least = 1e-3 * reach
        self._free = np.ones(len(positions), dtype=bool)
        self._cells = np.zeros((seen.shape[1] // CELLS_ACROSS**2, CELLS_ACROSS**2), dtype=np.int64)
        self.attainable = spread_of_counts(seen.sum(axis=0))

    @property
    def spread(self) -> NDArray[np.int64]:
        """(I,) well-spread landmarks each view sees."""
        return spread_of_counts(self._cells)

    def pick(self, until: int, only_needy: bool = False) -> None:
        """Pick on until there are so many, or, when `only_needy`, until no view needs more."""
        goal = np.minimum(self.attainable, VIEW_NEEDS)
        while len(self.picked) < until:
            need = 1 / (1.0 + self._cells.sum(axis=1, keepdims=True)) ** 4 / (1 + self._cells)
            if only_needy:
                need *= (self.spread < goal)[:, None] & (self._cells < CELL_HOLDS)
                if not need.any():
                    return
            gains = np.where(self._free, self._quality * (self._seen @ need.ravel()), -1.0)
            best = int(np.argmax(gains))
            if gains[best] < 0 or (only_needy and gains[best] == 0):
                # Crowded: the others must come closer, in the end as close as they are.
                self._reach = np.where(self._reach > self._least, self._reach / 2, -1.0)
                self._free = self._far_from(self.picked)
                continue
            self.take(best)

    def take(self, row: int) -> None:
        """Pick a candidate, come what may."""
        self.picked.append(row)
        self._free &= self._far_from([row])
        columns = self._seen.indices[self._seen.indptr[row] : self._seen.indptr[row + 1]]
        self._cells.ravel()[columns] += 1

    def _far_from(self, picked: list[int]) -> NDArray[np.bool_]:
        """(P,) whether each candidate keeps its distance to all of some picked ones, which themselves do not."""
        far = np.ones(len(self._positions), dtype=bool)
        for index in picked:
            distances = np.linalg.norm(self._positions - self._positions[index], axis=1)
            far &= distances > np.maximum(self._reach, self._reach[index])
        far[picked] = False
        return far
