"""The cloud of a map as a PLY file, and which of its points a file that was edited elsewhere still has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.errors import RelocError
from reloc_ros.geometry import are_places
from reloc_ros.io.atomic import atomic_path
from reloc_ros.offline.model.ply import Column, read_ply, write_vertices
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import fit_similarity, spread
from reloc_ros.scene_size import extent, fits_single_precision, single_precision_step

Array = NDArray[np.float64]

ID_PROPERTY = "point_id"
_ID_NAMES = (ID_PROPERTY, f"scalar_{ID_PROPERTY}")
"""CloudCompare writes its scalar fields back under names of its own, as floats."""
MAX_GAP_SHARE = 1e-3
"""Points of the same map are this near to each other, as a share of the cloud's extent: files have single precision."""
MIN_MATCHED_SHARE = 0.99
"""Of a file's points, where fewer are where the map has them the file is of another map."""


def write_ply(path: Path, model: SfmModel) -> None:
    """Write the points as binary little-endian PLY, with colours and, as a further property, their ids.

    Coordinates that single precision would round to what can be seen are written in double precision.
    """
    wide = bool(len(model.point_ids)) and int(model.point_ids.max()) >= 2**31
    position = "<f4" if fits_single_precision(model.points_map) else "<f8"
    vertices = np.empty(
        len(model.points_map),
        dtype=[(axis, position) for axis in "xyz"]
        + [(color, "u1") for color in ("red", "green", "blue")]
        + [(ID_PROPERTY, "<f8" if wide else "<i4")],  # PLY has no longer integers
    )
    for column, axis in enumerate("xyz"):
        vertices[axis] = model.points_map[:, column]
    for column, color in enumerate(("red", "green", "blue")):
        vertices[color] = model.colors[:, column]
    vertices[ID_PROPERTY] = model.point_ids
    with atomic_path(path) as temporary:
        write_vertices(temporary, vertices, ["reloc_ros map cloud"])


def read_kept_ids(path: Path, model: SfmModel) -> NDArray[np.int64]:
    """The ids of the model's points that a PLY file holds, matched by id or else by position.

    Args:
        model: the whole model in the present map frame.

    Raises:
        RelocError: the file cannot be read, or is not of this map.
    """
    points, ids, step = _read(path)
    if ids is None:
        return _by_position(path, points, step, model)
    rows = np.searchsorted(model.point_ids, ids, sorter=np.argsort(model.point_ids))
    rows = np.argsort(model.point_ids)[np.minimum(rows, len(model.point_ids) - 1)]
    known = model.point_ids[rows] == ids
    if not known.all():
        raise RelocError(
            f"'{path}' is of another map: {np.count_nonzero(~known)} of its {len(ids)} points have ids that this map "
            f"lacks, the first is {ids[~known][0]:d}"
        )
    _refuse_other_places(path, points, step, model.points_map[rows], model.points_map)
    return np.unique(ids)


def _read(path: Path) -> tuple[Array, NDArray[np.int64] | None, float]:
    """(N, 3) positions, (N,) ids, or None where there are none, and what positions are rounded to."""
    try:
        vertices = read_ply(path).get("vertex", {})
    except FileNotFoundError as error:
        raise RelocError(f"there is no file '{path}'") from error
    except (OSError, ValueError) as error:
        raise RelocError(f"cannot read '{path}' as PLY: {error}") from error
    if not {"x", "y", "z"} <= vertices.keys():
        raise RelocError(f"'{path}' is not a point cloud: it has no vertices with x, y and z")
    points = np.column_stack([_doubles(vertices[axis]) for axis in "xyz"])
    if len(points) == 0:
        raise RelocError(f"'{path}' holds no points")
    if not are_places(points):
        raise RelocError(f"'{path}' holds points that are not finite")
    is_single = vertices["x"].dtype.itemsize < 8
    step = single_precision_step(points) if is_single else float(np.finfo(np.float32).eps) * extent(points)
    for name in vertices:
        if name.lower() in _ID_NAMES:
            ids = _doubles(vertices[name])
            if not (np.abs(ids) < 2**63).all():
                raise RelocError(f"'{path}' holds points whose {ID_PROPERTY} is no number of a point")
            return points, np.rint(ids).astype(np.int64), step
    return points, None, step


def _doubles(column: Column) -> Array:
    with np.errstate(invalid="ignore"):  # what is not finite is refused, whatever bits it has
        return np.asarray(column, dtype=np.float64)


def _by_position(path: Path, points: Array, step: float, model: SfmModel) -> NDArray[np.int64]:
    limit = MAX_GAP_SHARE * extent(model.points_map)
    if step > limit:
        raise RelocError(
            f"'{path}' has its points in single precision, which so far from the origin rounds them to {step:.2g}: "
            f"save it in double precision, or keep the property {ID_PROPERTY}, by which they are found then"
        )
    gaps, rows = cKDTree(model.points_map).query(points)
    found = gaps <= limit
    if found.mean() < MIN_MATCHED_SHARE:
        raise RelocError(
            f"'{path}' is of another map, or was moved: {np.count_nonzero(~found)} of its {len(points)} points are not "
            f"where this map has one; keep the property {ID_PROPERTY} when you save it, and points are found by that"
        )
    kept = np.zeros(len(model.point_ids), dtype=bool)
    kept[rows[found]] = True
    # Points of one place, which a model may have, all stay with it.
    kept |= cKDTree(points).query(model.points_map)[0] <= 2 * step
    return np.unique(model.point_ids[kept])


def _refuse_other_places(path: Path, points: Array, step: float, ours: Array, all_ours: Array) -> None:
    """The same ids may be of another map; a program may have moved, turned or scaled the whole."""
    limit = max(MAX_GAP_SHARE * extent(all_ours), step)
    near = np.linalg.norm(points - ours, axis=1) <= limit
    if near.mean() < MIN_MATCHED_SHARE and len(points) >= 4 and spread(points)[1] > 0:
        near = np.linalg.norm(fit_similarity(ours, points).apply(points) - ours, axis=1) <= limit
    if near.mean() < MIN_MATCHED_SHARE:
        raise RelocError(
            f"'{path}' is of another map: {np.count_nonzero(~near)} of its {len(points)} points are elsewhere than "
            "this map has them"
        )
