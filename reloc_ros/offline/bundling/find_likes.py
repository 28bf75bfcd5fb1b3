"""Find from where else a map looks as one of its images does, as where two rooms are alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from reloc_ros.geometry import SE3, Array
from reloc_ros.local_features.second_way import LIMITS, unit_px
from reloc_ros.offline.bundling.gather_features import Gathered, choose
from reloc_ros.offline.evenly import evenly
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.pose.pnp import Correspondences, make_solver
from reloc_ros.pose.rival import find_rivals

MOST, MOST_KNOWN = 128, 60_000
"""Features of an image that are looked up, and of the map among which."""
SHARE, FEWEST = 0.08, 100
"""Of an image's features, of which there are so many at least, those that a pose elsewhere must explain. In rooms that
are alike it is 0.15 and more, though few of their features may be among the map's; elsewhere it was none."""
ELSEWHERE = 0.1
"""Points so far apart, as a share of the distance, are of different things."""


class LikesFinder:
    """Matches what an image shows with what the map has elsewhere.

    A match is simply the nearest: Lowe's test would find nothing where a thing is there three times. Most are wrong.
    """

    def __init__(self, model: SfmModel, gathered: Gathered) -> None:
        self._model, self._gathered = model, gathered
        self._known = gathered.subset(choose(gathered, model, MOST_KNOWN)).known
        self._descriptors = self._known.descriptors.astype(np.float32)
        self._lengths = 0.5 * np.einsum("md,md->m", self._descriptors, self._descriptors)
        self._solve = make_solver("auto")

    def find(self, image: int) -> list[SE3]:
        """Poses, camera_from_map, far from an image's own, from which the map looks like it; the likeliest first.

        Args:
            image: its row in the model.
        """
        rows = np.flatnonzero(self._gathered.views == image)
        rows = rows[evenly(len(rows), MOST)]
        camera, pose = self._model.camera(image), self._model.camera_from_map[image]
        rays = camera.unproject(self._gathered.pixels[rows])
        finite = np.isfinite(rays).all(axis=1)
        rows, rays = rows[finite], rays[finite]
        if len(rows) < FEWEST:
            return []
        seen = self._gathered.known
        own_map = seen.landmarks.positions_map[seen.points[rows]]
        reach = ELSEWHERE * np.linalg.norm(own_map - pose.center, axis=1)
        other_map = self._nearest_elsewhere(seen.descriptors[rows], own_map, reach)
        matches = Correspondences(
            np.concatenate([own_map, other_map]),
            np.concatenate([rays, rays]),
            np.full(2 * len(rows), 1 / camera.mean_focal),
        )
        inliers, scores = np.arange(2 * len(rows)) < len(rows), np.ones(2 * len(rows))
        limit = LIMITS["max_error_px"] * unit_px(camera) / camera.mean_focal
        return [like for like, _ in find_rivals(pose, inliers, matches, scores, self._solve, limit, SHARE)]

    def _nearest_elsewhere(self, descriptors: NDArray[np.uint8], points_map: Array, reach: Array) -> Array:
        """(N, 3) for N descriptors of N points (N, 3) the point that looks most alike, of those out of reach (N,)."""
        unlike = self._lengths - descriptors.astype(np.float32) @ self._descriptors.T
        known = self._known.landmarks.positions_map
        near = cdist(points_map, known) < reach[:, None]
        unlike[near[:, self._known.points]] = np.inf
        nearest: Array = known[self._known.points[unlike.argmin(axis=1)]]
        return nearest
