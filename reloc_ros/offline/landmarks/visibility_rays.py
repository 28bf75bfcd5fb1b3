"""The ray test of visibility: which lines from a camera meet an occupied voxel of the point cloud on their way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError

Array = NDArray[np.float64]

CORE = (0.02, 0.98)
"""The box between these quantiles of the points, along each axis, is the scene; its longest side is its extent."""
MARGIN = 1.0
"""The grid reaches this many extents beyond the scene on each side: what stands farther away hides nothing."""
MIN_POINTS = 2
"""A voxel with fewer points is taken for noise."""
SMALLEST, LARGEST = 0.001, 0.2
"""Voxel sizes that make sense, as shares of the extent."""
CLEARANCE_VOXELS = 2.0
"""A ray ends so far before its landmark, whose own surface is occupied."""


class VoxelGrid:
    """The voxels of a cloud that hold at least `MIN_POINTS` points, kept as a sorted list of their numbers."""

    def __init__(self, points_map: Array, size_share: float) -> None:
        """Sort points (P, 3) into voxels of `size_share` of the scene's extent.

        Raises:
            RelocError: the share is out of range, or all the points are in one place.
        """
        if not SMALLEST <= size_share <= LARGEST:
            raise RelocError(
                f"the voxel size is a share of the scene's extent from {SMALLEST:g} to {LARGEST:g}, not {size_share:g}"
            )
        low, high = np.quantile(points_map, CORE, axis=0)
        extent = float((high - low).max())
        if not extent > 0:
            raise RelocError("the points of the map are all in one place; voxels need a scene with an extent")
        self.size = size_share * extent
        """Side of a voxel in the map's unit."""
        self._low = low - MARGIN * extent
        self._shape = np.ceil((high - low + 2 * MARGIN * extent) / self.size).astype(np.int64)
        cells = np.floor((points_map - self._low) / self.size).astype(np.int64)
        inside = ((cells >= 0) & (cells < self._shape)).all(axis=1)
        numbers, counts = np.unique(self._numbers(cells[inside]), return_counts=True)
        self._occupied = numbers[counts >= MIN_POINTS]

    def hides(self, start: Array, points_map: Array) -> NDArray[np.bool_]:
        """(N,) whether something stands between `start` (3,) and each of some points (N, 3) on a surface."""
        rays = points_map - start
        lengths = np.linalg.norm(rays, axis=1)
        walked = np.maximum(lengths - CLEARANCE_VOXELS * self.size, 0)
        return self.is_blocked(start, start + rays * (walked / np.maximum(lengths, 1e-300))[:, None])

    def is_blocked(self, start: Array, ends: Array) -> NDArray[np.bool_]:
        """(N,) whether the segment from `start` (3,) to each of `ends` (N, 3) meets an occupied voxel.

        The voxel that `start` lies in does not count. Every voxel on the way is visited and no other: Amanatides and
        Woo, "A Fast Voxel Traversal Algorithm for Ray Tracing", 1987, for all the segments side by side.
        """
        origin = (start - self._low) / self.size
        rays = (ends - start) / self.size
        enter, leave = self._clip(origin, rays)
        blocked = np.zeros(len(rays), dtype=bool)
        live = np.flatnonzero(enter <= leave)
        cells = np.floor(origin + enter[live, None] * rays[live]).astype(np.int64)
        cells = cells.clip(0, self._shape - 1)  # a segment that enters at the far face rounds to beyond it
        home = np.floor(origin).astype(np.int64)
        while len(live) > 0:
            hit = self._is_occupied(cells) & (cells != home).any(axis=1)
            blocked[live[hit]] = True
            rays_live = rays[live]
            with np.errstate(divide="ignore", invalid="ignore"):
                crossings = (cells + (rays_live > 0) - origin) / rays_live
            crossings[rays_live == 0] = np.inf
            axis = np.argmin(crossings, axis=1)
            rows = np.arange(len(live))
            cells[rows, axis] += np.where(rays_live[rows, axis] > 0, 1, -1)
            goes_on = ~hit & (crossings[rows, axis] <= leave[live])
            goes_on &= ((cells >= 0) & (cells < self._shape)).all(axis=1)
            live, cells = live[goes_on], cells[goes_on]
        return blocked

    def _clip(self, origin: Array, rays: Array) -> tuple[Array, Array]:
        """Where, from 0 at the start to 1 at the end, each segment enters and leaves the grid; enter > leave: never."""
        with np.errstate(divide="ignore", invalid="ignore"):
            faces = np.stack([-origin / rays, (self._shape - origin) / rays])
        along = np.broadcast_to((origin >= 0) & (origin <= self._shape), rays.shape)
        first = np.where(rays == 0, np.where(along, -np.inf, np.inf), faces.min(axis=0))
        last = np.where(rays == 0, np.inf, faces.max(axis=0))
        return np.maximum(first.max(axis=1), 0.0), np.minimum(last.min(axis=1), 1.0)

    def _is_occupied(self, cells: NDArray[np.int64]) -> NDArray[np.bool_]:
        if len(self._occupied) == 0:
            return np.zeros(len(cells), dtype=bool)
        numbers = self._numbers(cells)
        place = np.minimum(np.searchsorted(self._occupied, numbers), len(self._occupied) - 1)
        return self._occupied[place] == numbers

    def _numbers(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) one number for each cell (N, 3) of the grid."""
        return np.ravel_multi_index(tuple(cells.T), tuple(self._shape)).astype(np.int64)
