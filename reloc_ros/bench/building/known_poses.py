"""A map of pictures whose poses are known: which of them see the same, and the points that their features give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.offline.mapping.registration import triangulate_at_poses
from reloc_ros.offline.matching.features import extract_features, match_pairs, silence_colmap
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.sources.gather import Group

Array = NDArray[np.float64]
FEATURES = 1500
"""Of a picture, at the most."""
NEIGHBOURS = 10
"""So many pictures of its session, and a third as many of each other, is each matched with."""
_CELL_PX = 40
_SAME_DEPTH, _REACH_M = 0.1, 8.0
_LEAST_COMMON, _LEAST_COSINE = 0.15, 0.6
"""Of what either picture sees, and of the angle between their axes: beyond, SIFT matches little."""


def depth_grid(depths: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every 40th depth of a picture (H, W) in either direction: what tells how much two pictures have in common."""
    return depths[_CELL_PX // 2 :: _CELL_PX, _CELL_PX // 2 :: _CELL_PX]


def neighbours(
    camera: Camera, poses: Sequence[SE3], grids: Array, sessions: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Pairs of pictures, first one below, that see enough of the same for their features to match.

    Args:
        grids: (N, h, w) the `depth_grid` of each.
        sessions: (N,) the session of each.
    """
    axes = np.array([pose.rotation[2] for pose in poses])
    centers = np.array([pose.center for pose in poses])
    rays = _rays(camera, grids.shape[1:])
    common = np.zeros((len(poses), len(poses)))
    for one, pose in enumerate(poses):
        seen = rays * grids[one].reshape(-1, 1)
        seen_map = pose.inverse().apply(seen[np.isfinite(seen).all(axis=1)])
        away = np.linalg.norm(centers - centers[one], axis=1)
        for other in np.flatnonzero((axes @ axes[one] > _LEAST_COSINE) & (away < _REACH_M)).tolist():
            if other != one:
                common[one, other] = _share(camera, seen_map, poses[other], grids[other])
    common = np.minimum(common, common.T)
    pairs = set()
    for image, shares in enumerate(common):
        for session in np.unique(sessions):
            most = NEIGHBOURS if session == sessions[image] else NEIGHBOURS // 3
            mine = np.flatnonzero((sessions == session) & (shares > _LEAST_COMMON))
            best = mine[np.argsort(-shares[mine], kind="stable")[:most]]
            pairs |= {(min(image, other), max(image, other)) for other in best.tolist()}
    return sorted(pairs)


def _rays(camera: Camera, shape: tuple[int, ...]) -> Array:
    """(K, 3) with z = 1, through the pixels of a grid."""
    rows, columns = np.indices(shape) * _CELL_PX + _CELL_PX // 2
    rays = camera.unproject(np.stack([columns.ravel(), rows.ravel()], 1).astype(float))
    return np.column_stack([rays, np.ones(len(rays))])


def _share(camera: Camera, seen_map: Array, pose: SE3, grid: NDArray[np.float32]) -> float:
    """The share of points (K, 3) that a picture with a grid of depths shows."""
    points = pose.apply(seen_map)
    pixels = camera.project(points)
    inside = camera.contains(pixels)
    cells = (pixels[inside] + 0.5) // _CELL_PX
    depths = grid[cells[:, 1].astype(int), cells[:, 0].astype(int)]
    return float(np.sum(np.abs(depths / points[inside, 2] - 1) < _SAME_DEPTH) / max(len(points), 1))


def map_at_poses(
    folder: Path,
    images_dir: Path,
    camera: Camera,
    names: Sequence[str],
    poses: Sequence[SE3],
    pairs: Sequence[tuple[int, int]],
    progress: Progress,
) -> SfmModel:
    """Find features, match pairs of pictures, and triangulate; COLMAP's model is left in `folder`/sparse.

    Args:
        names: in name order.
    """
    silence_colmap()
    database, sparse = folder / "database.db", folder / "sparse"
    sparse.mkdir(parents=True)
    groups = [Group("camera", tuple(names), False, camera)]
    extract_features(
        images_dir, groups, database, "OPENCV", max(camera.width, camera.height), FEATURES, progress
    )
    match_pairs(database, [(names[one], names[other]) for one, other in pairs], progress)
    triangulate_at_poses(_bare(camera, names, poses), images_dir, database, sparse)
    return read_colmap(sparse)


def _bare(camera: Camera, names: Sequence[str], poses: Sequence[SE3]) -> SfmModel:
    """A model without points."""
    none = np.zeros(0)
    return SfmModel(
        cameras={1: camera},
        names=tuple(names),
        camera_ids=np.ones(len(names), np.int32),
        camera_from_map=tuple(poses),
        points_map=np.zeros((0, 3)),
        point_ids=none.astype(np.int64),
        colors=np.zeros((0, 3), np.uint8),
        errors_px=none,
        observation_point=none.astype(np.int32),
        observation_image=none.astype(np.int32),
        observation_px=np.zeros((0, 2)),
    )
