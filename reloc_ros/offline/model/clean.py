"""`reloc clean`: take out of a map what does not belong to it, and write its cloud for others to see and edit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.errors import RelocError
from reloc_ros.offline.model.cloud_file import read_kept_ids, write_ply
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import (
    RemovedPoints,
    map_from_sfm,
    original_model,
    removed_points,
    write_removed_points,
)
from reloc_ros.offline.workspace import Workspace

Array = NDArray[np.float64]

MIN_POINTS = 20
"""A map of fewer points than landmarks are chosen from is no map."""
OUTLIER = "statistical outlier"
CROPPED = "outside the crop"
CELL = "another point in its cell"


@dataclass(frozen=True)
class CleanOptions:
    """What to take out, in this order; the units are the map's as it is now."""

    edited: Path | None = None
    """A PLY file: what it lacks goes."""
    box: tuple[float, ...] | None = None
    """xmin, ymin, zmin, xmax, ymax, zmax; what is outside goes."""
    sphere: tuple[float, ...] | None = None
    """x, y, z, radius; what is outside goes."""
    neighbours: int | None = 20
    """Mean distances to so many neighbours are compared; None takes no outliers out."""
    std_ratio: float = 2.0
    """Points whose mean distance is above the mean of all by so many standard deviations go."""
    voxel: float | None = None
    """Edge of cells of which each keeps its best point."""


@dataclass(frozen=True)
class CleanSummary:
    points: int
    """In the map as reconstructed."""
    kept: int
    removed: Mapping[str, int]
    """Why, and how many."""
    bare_images: tuple[str, ...]
    """Images that see none of the points kept."""


def clean(workspace: Workspace, options: CleanOptions) -> CleanSummary:
    """Take points out of the map as reconstructed; what an earlier call took out is back, unless named again.

    Only an edited cloud goes on from the earlier call: it was written without the points that were out by then.
    """
    _check(options)
    whole = original_model(workspace).transformed(map_from_sfm(workspace))
    before = dict(zip(removed_points(workspace).ids.tolist(), removed_points(workspace).reasons, strict=True))
    reasons: dict[int, str] = {}
    left = whole
    if options.edited is not None:
        kept = read_kept_ids(options.edited, whole)
        gone = np.setdiff1d(whole.point_ids, kept)
        reasons |= {i: before.get(i, f"not in {options.edited.name}") for i in gone.tolist()}
        left = whole.without_points(gone)
    for reason, test in (
        (CROPPED, lambda model: is_outside(model.points_map, options.box, options.sphere)),
        (OUTLIER, lambda model: is_outlier(model.points_map, options.neighbours, options.std_ratio)),
        (CELL, lambda model: is_crowded(model, options.voxel)),
    ):
        gone = left.point_ids[test(left)]
        reasons |= dict.fromkeys(gone.tolist(), reason)
        left = left.without_points(gone)
        if len(left.points_map) < MIN_POINTS:
            raise RelocError(_too_few(whole, len(left.points_map), reason))
    ids = np.array(sorted(reasons), dtype=np.int64)
    summary = _summarize(whole, left, reasons)
    notes = {"points": summary.points, "kept": summary.kept, "removed": dict(summary.removed)}
    write_removed_points(workspace, RemovedPoints(ids, tuple(reasons[i] for i in ids.tolist())), notes)
    return summary


def undo_clean(workspace: Workspace) -> None:
    """Put every point of the reconstruction back."""
    count = len(original_model(workspace).points_map)
    write_removed_points(workspace, RemovedPoints.none(), {"points": count, "kept": count, "removed": {}})


def write_cloud(workspace: Workspace, path: Path) -> int:
    """Write the cloud of the map as it is now as PLY; returns how many points it has."""
    model = SfmModel.load(workspace.model_path)
    write_ply(path, model)
    return len(model.points_map)


def is_outlier(points: Array, neighbours: int | None, std_ratio: float) -> NDArray[np.bool_]:
    """(N,) which of points (N, 3) are farther from their neighbours than most.

    Rusu et al., "Towards 3D Point Cloud Based Object Maps for Household Environments" (2008), section 4.1.
    """
    if neighbours is None:
        return np.zeros(len(points), dtype=bool)
    if len(points) <= neighbours:
        raise RelocError(f"{len(points)} points are left, too few to compare {neighbours} neighbours of each")
    distances = cKDTree(points).query(points, k=neighbours + 1)[0][:, 1:].mean(axis=1)
    return distances > distances.mean() + std_ratio * distances.std()


def is_outside(
    points: Array, box: tuple[float, ...] | None, sphere: tuple[float, ...] | None
) -> NDArray[np.bool_]:
    """(N,) which of points (N, 3) are not in all that is given."""
    outside = np.zeros(len(points), dtype=bool)
    if box is not None:
        outside |= ((points < box[:3]) | (points > box[3:])).any(axis=1)
    if sphere is not None:
        outside |= np.linalg.norm(points - np.array(sphere[:3]), axis=1) > sphere[3]
    return outside


def is_crowded(model: SfmModel, voxel: float | None) -> NDArray[np.bool_]:
    """(P,) all points but the best of each cell: that of the longest track, then of the smallest error."""
    if voxel is None:
        return np.zeros(len(model.points_map), dtype=bool)
    cells = np.floor((model.points_map - model.points_map.min(axis=0)) / voxel)
    order = np.lexsort([model.errors_px, -model.track_lengths])
    _, first = np.unique(cells[order], axis=0, return_index=True)
    crowded = np.ones(len(model.points_map), dtype=bool)
    crowded[order[first]] = False
    return crowded


def _summarize(whole: SfmModel, left: SfmModel, reasons: Mapping[int, str]) -> CleanSummary:
    def seeing(model: SfmModel) -> NDArray[np.bool_]:
        return np.bincount(model.observation_image, minlength=len(model.names)) > 0

    bare = np.flatnonzero(seeing(whole) & ~seeing(left))
    names = tuple(whole.names[i] for i in bare)
    return CleanSummary(len(whole.points_map), len(left.points_map), Counter(reasons.values()), names)


def _too_few(whole: SfmModel, left: int, reason: str) -> str:
    low, high = (", ".join(f"{x:.3g}" for x in q) for q in np.percentile(whole.points_map, [2, 98], axis=0))
    hint = {
        CROPPED: f"most of the cloud lies from ({low}) to ({high})",
        CELL: "make the cells smaller",
        OUTLIER: "raise --std-ratio",
    }
    return f"{left} of {len(whole.points_map)} points would be left, a map needs {MIN_POINTS}; {hint[reason]}"


def _check(options: CleanOptions) -> None:
    if options.box is not None and not (np.array(options.box[:3]) < options.box[3:]).all():
        raise RelocError("the box is xmin ymin zmin xmax ymax zmax, each maximum above its minimum")
    if options.sphere is not None and not options.sphere[3] > 0:
        raise RelocError(f"the sphere is x y z radius, with a radius above zero, not {options.sphere[3]:g}")
    if options.neighbours is not None and options.neighbours < 1:
        raise RelocError(f"outliers are found by 1 neighbour or more, not {options.neighbours}")
    if not options.std_ratio > 0:
        raise RelocError(f"--std-ratio must be above zero, not {options.std_ratio:g}")
    if options.voxel is not None and not options.voxel > 0:
        raise RelocError(f"--voxel is the edge of a cell and above zero, not {options.voxel:g}")
