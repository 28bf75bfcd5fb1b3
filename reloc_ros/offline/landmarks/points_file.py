"""Landmarks at points that somebody names: read from a text file, and tied to the views that can see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.errors import RelocError
from reloc_ros.geometry import are_places
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.select_landmarks import cloud_landmarks, picture_widths
from reloc_ros.offline.model.sfm import SfmModel

Array = NDArray[np.float64]

FOREIGN_ID = 1 << 31
"""Landmarks that are no point of the model have ids from here on; a point cloud can still say them in 32 bits."""
SAME = 1e-3
"""Points nearer than this share of the width of the picture (half a pixel of the network's) are one point."""
REACH = 0.05
"""A point is of the cloud when there is one of the cloud's as near as this share of the width of the picture."""
SURFACE_POINTS = 8
"""So many points around tell from where a point is seen."""
AGREEING = 2
"""A view must have seen so many of them: one alone may be a mistake of matching."""
RELIABLE_TRACK = 3
"""Points that fewer images saw do not count as the cloud: anything can look alike twice."""


def read_points(path: Path) -> tuple[Array, list[str]]:
    """Points (N, 3) of a text file, in the map, and where each stands, as "points.txt, line 3".

    A line is `x y z`, apart by blanks or commas; what follows a # is a comment, and empty lines do not count.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RelocError(
            f"cannot read the points '{path}': {(error.strerror or str(error)).lower()}"
        ) from error
    except UnicodeDecodeError as error:
        raise RelocError(f"'{path}' is not a text file; it should hold lines of x y z") from error
    points, places = [], []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if content:
            places.append(f"{path.name}, line {number}")
            points.append(_parse(content, places[-1]))
    if not points:
        raise RelocError(f"'{path}' holds no points; it should hold lines of x y z")
    return np.array(points), places


def _parse(content: str, place: str) -> list[float]:
    try:
        numbers = [float(word) for word in content.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not are_places(numbers):
        raise RelocError(f"{place}: '{content}' is not three numbers x y z")
    return numbers


def landmarks_at(model: SfmModel, positions_map: Array, places: Sequence[str]) -> Landmarks:
    """The landmarks at some points (N, 3) in the map.

    One that is a point of the model, within half of `SAME`, is that point, with its views. Any other is taken to lie
    on the surface of the points around it, and to be visible from where they were seen.

    Args:
        places: what to call each point in a refusal.

    Raises:
        RelocError: where two are one point, or one is not in the cloud.
    """
    cloud, widths = cloud_landmarks(model), picture_widths(model)
    reliable = np.flatnonzero(model.track_lengths >= min(RELIABLE_TRACK, model.track_lengths.max()))
    surface = cKDTree(model.points_map[reliable])
    distances, nearest = cKDTree(model.points_map).query(positions_map)
    away, nearest_reliable = surface.query(positions_map)
    widths_there = widths[reliable[nearest_reliable]]
    made = []
    for row, position in enumerate(positions_map):
        if distances[row] <= SAME / 2 * widths_there[row]:
            made.append(cloud.subset(nearest[row : row + 1]))
            continue
        if away[row] >= REACH * widths_there[row]:
            raise RelocError(
                f"{places[row]}: {_xyz(position)} is outside the cloud, {away[row]:.3g} from its nearest point; "
                "points are in the map's own frame and unit"
            )
        _, around = surface.query(position, SURFACE_POINTS, distance_upper_bound=REACH * widths_there[row])
        around = reliable[around[around < len(reliable)]]
        made.append(_on_surface(model, cloud, position, around, FOREIGN_ID + row))
    landmarks = joined(made)
    _refuse_duplicates(landmarks.positions_map, SAME * widths_there, places)
    return landmarks


def joined(parts: Sequence[Landmarks]) -> Landmarks:
    """Some landmarks after each other."""
    return Landmarks(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.positions_map for part in parts]),
        np.concatenate([part.directions_map for part in parts]),
        np.concatenate([part.view_cones_rad for part in parts]),
    )


def _refuse_duplicates(positions_map: Array, apart: Array, places: Sequence[str]) -> None:
    """`apart` (N,) is how far each must be from the others."""
    for first, second in sorted(cKDTree(positions_map).query_pairs(apart.max())):
        distance = np.linalg.norm(positions_map[first] - positions_map[second])
        if distance <= max(apart[first], apart[second]):
            raise RelocError(
                f"{places[second]}: {_xyz(positions_map[second])} is the same landmark as {places[first]}; "
                "name it once"
            )


def _on_surface(
    model: SfmModel, cloud: Landmarks, position_map: Array, around: NDArray[np.int64], identity: int
) -> Landmarks:
    """The landmark at a point that the points `around`, nearest first, surround."""
    # What is seen from the other side belongs to another surface.
    same_side = cloud.directions_map[around] @ cloud.directions_map[around[0]] > 0
    seeing = model.observation_image[np.isin(model.observation_point, around[same_side])]
    sights = np.bincount(seeing)
    views = np.flatnonzero(sights >= min(AGREEING, sights.max()))
    rays = model.centers_map[views] - position_map
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    direction = rays.mean(axis=0)
    direction /= max(float(np.linalg.norm(direction)), 1e-12)
    cone = float(np.arccos(np.clip((rays @ direction).min(), -1, 1)))
    return Landmarks(np.array([identity]), position_map[None], direction[None], np.array([cone]))


def _xyz(position: Array) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in position.tolist()) + ")"
