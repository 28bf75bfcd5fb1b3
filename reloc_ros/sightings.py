"""Which of the map's points a camera should see where, and in which reference view to look them up."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import SE3, Camera
from reloc_ros.references import References

Array = NDArray[np.float64]

VIEWS = 16
"""Reference views that are looked at for one image."""
SIGHTINGS_PER_POINT = 3
MAX_ANGLE_RAD = np.radians(40)
"""Between the rays from a point to the camera and to the reference view."""
MIN_FACING = 0.15
"""Cosine between the surface's normal and either ray."""
MIN_STRETCH = 0.4
"""Pixels of the reference view for one of the image; a coarser view knows too little."""
_CELLS = 10
"""Sightings are spread over this many cells of the picture a side."""


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    """N sightings that should be seen in the image, the first of them well spread over it."""

    rows: NDArray[np.intp]
    """(N,) of the references' sightings."""
    angles: Array
    """(N,) radians between the rays to the camera and to the reference view."""

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, rows: NDArray | slice) -> Chosen:
        return Chosen(self.rows[rows], self.angles[rows])


class Sightings:
    """The geometry of all sightings of the references, worked out once."""

    def __init__(self, references: References) -> None:
        self.references = references
        views, points = references.seen_view, references.seen_point
        self._starts = np.searchsorted(views, np.arange(len(references.files) + 1))
        self._centers_map = np.array([pose.center for pose in references.camera_from_map])
        rays = self._centers_map[views] - references.points_map[points]
        self._distances = np.linalg.norm(rays, axis=1)
        self._rays = rays / self._distances[:, None]
        self._facing = np.einsum("mi,mi->m", self._rays, references.normals_map[points])
        self._tangents_map = _tangents(references.normals_map)
        self._view_from_surface = self._project_surfaces()
        self._focus_map = np.array(
            [
                np.median(references.points_map[points[start:end]], axis=0)
                for start, end in zip(self._starts[:-1], self._starts[1:], strict=True)
            ]
        )

    def points_map(self, chosen: Chosen) -> Array:
        """(N, 3)"""
        return self.references.points_map[self.references.seen_point[chosen.rows]]

    def choose(self, camera_from_map: SE3, camera: Camera, count: int) -> Chosen:
        """At most `count` sightings from the nearest views of points that a camera at this pose should see."""
        references = self.references
        points_camera = camera_from_map.apply(references.points_map)
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = points_camera[:, :2] / points_camera[:, 2:]
        low, high = _field(camera)
        inside = (points_camera[:, 2] > 0) & ((plane > low) & (plane < high)).all(axis=1)
        views = self._nearest_views(camera_from_map.center, inside)
        rows = np.concatenate([np.arange(self._starts[v], self._starts[v + 1]) for v in views] or [[]])
        rows = rows.astype(np.intp)
        rows = rows[inside[references.seen_point[rows]]]
        rows, angles, costs = self._judge(camera_from_map.center, rows)
        kept = _best_of_each(references.seen_point[rows], costs, SIGHTINGS_PER_POINT)
        rows, angles, costs = rows[kept], angles[kept], costs[kept]
        places = (plane[references.seen_point[rows]] - low) / (high - low) * _CELLS
        turns = _turns(places.astype(np.intp) @ (_CELLS, 1), costs)
        spread = np.argsort(turns, kind="stable")[:count]
        return Chosen(rows[spread], angles[spread])

    def views_from_image(
        self, camera_from_map: SE3, camera: Camera, chosen: Chosen
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Pixels of each sighting's view for a pixel of the image (N, 2, 2), and whether that makes sense (N,)."""
        points = self.references.seen_point[chosen.rows]
        image_from_surface = _project_tangents(
            camera_from_map.apply(self.references.points_map[points]),
            self._tangents_map[points] @ camera_from_map.rotation.T,
            camera,
        )
        a, b, c, d = image_from_surface.reshape(-1, 4).T
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = np.array([[d, -b], [-c, a]]).transpose(2, 0, 1) / (a * d - b * c)[:, None, None]
            view_from_image = self._view_from_surface[chosen.rows] @ inverse
            a, b, c, d = view_from_image.reshape(-1, 4).T
            good = np.sqrt(np.abs(a * d - b * c)) > MIN_STRETCH  # false for NaN
        return np.where(good[:, None, None], view_from_image, 0).astype(np.float32), good

    def _nearest_views(self, center_map: Array, inside: NDArray[np.bool_]) -> NDArray[np.intp]:
        """The views that show most of the points inside, from about where the camera is."""
        # A last False, since reduceat takes no start at the end.
        seen_inside = np.append(inside[self.references.seen_point], False)
        shared = np.add.reduceat(seen_inside, self._starts[:-1], dtype=np.intp)
        to_camera, to_view = center_map - self._focus_map, self._centers_map - self._focus_map
        camera_distance, view_distance = np.linalg.norm(to_camera, axis=1), np.linalg.norm(to_view, axis=1)
        cosine = np.einsum("vi,vi->v", to_camera, to_view) / (camera_distance * view_distance)
        angle = np.arccos(np.clip(cosine, -1, 1))
        nearness = np.exp(-((angle / 0.35) ** 2) - (np.log(camera_distance / view_distance) / 0.7) ** 2)
        score = np.nan_to_num(shared * nearness)
        best = np.argsort(-score)[:VIEWS]
        return best[score[best] > 0]

    def _judge(self, center_map: Array, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], Array, Array]:
        """The sightings whose views look alike from the camera: their rows, angles and costs; less is better."""
        points = self.references.seen_point[rows]
        rays = center_map - self.references.points_map[points]
        distances = np.linalg.norm(rays, axis=1)
        rays /= distances[:, None]
        cosines = np.einsum("mi,mi->m", rays, self._rays[rows])
        facing = np.einsum("mi,mi->m", rays, self.references.normals_map[points])
        facing = np.minimum(facing, self._facing[rows])
        good = (cosines > np.cos(MAX_ANGLE_RAD)) & (facing > MIN_FACING)
        rows = rows[good]
        angles = np.arccos(np.clip(cosines[good], -1, 1))
        nearer = np.abs(np.log(self._distances[rows] / distances[good]))
        return rows, angles, angles / 0.3 + nearer + 0.5 * (1 - facing[good])

    def _project_surfaces(self) -> Array:
        """(M, 2, 2) pixels of the view for a step along the surface's tangents, for every sighting."""
        references = self.references
        result = np.empty((len(references.seen_view), 2, 2))
        for view, (camera, pose) in enumerate(
            zip(references.cameras, references.camera_from_map, strict=True)
        ):
            mine = slice(self._starts[view], self._starts[view + 1])
            points = references.seen_point[mine]
            result[mine] = _project_tangents(
                pose.apply(references.points_map[points]),
                self._tangents_map[points] @ pose.rotation.T,
                camera,
            )
        return result


def _tangents(normals: Array) -> Array:
    """(P, 2, 3) two unit vectors along each surface, at right angles."""
    across = np.where(np.abs(normals[:, :1]) < 0.8, [[1.0, 0, 0]], [[0, 1.0, 0]])
    first = np.cross(normals, across)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(normals, first)], axis=1)


def _project_tangents(points_camera: Array, tangents_camera: Array, camera: Camera) -> Array:
    """(N, 2, 2) pixels for a step along each tangent (the columns), by differences, for any camera model."""
    step = 1e-4 * points_camera[:, 2]
    around = [points_camera + step[:, None] * tangents_camera[:, i] for i in range(2)]
    pixels = camera.project(np.concatenate([points_camera, *around])).reshape(3, -1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((pixels[1:] - pixels[0]) / step[:, None]).transpose(1, 2, 0)


def _best_of_each(groups: NDArray, costs: Array, count: int) -> NDArray[np.bool_]:
    """Which are among the `count` cheapest of their group."""
    return _turns(groups, costs) < count


def _turns(groups: NDArray, costs: Array) -> NDArray[np.intp]:
    """The place of each in its group, the cheapest first."""
    order = np.lexsort([costs, groups])
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    lengths = np.diff(starts, append=len(order))
    turns = np.empty(len(order), np.intp)
    turns[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return turns


@functools.lru_cache(maxsize=16)
def _field(camera: Camera) -> tuple[Array, Array]:
    """The box on the plane z = 1 that an image covers, its lowest and highest x and y."""
    x, y = np.arange(camera.width), np.arange(camera.height)
    border = np.concatenate(
        [np.column_stack([x, np.full_like(x, row)]) for row in (0, camera.height - 1)]
        + [np.column_stack([np.full_like(y, column), y]) for column in (0, camera.width - 1)]
    )
    rays = camera.unproject(border)
    if not np.isfinite(rays).all():  # a fisheye whose border looks sideways or backwards
        return np.full(2, -_WIDEST), np.full(2, _WIDEST)
    return np.maximum(rays.min(axis=0), -_WIDEST), np.minimum(rays.max(axis=0), _WIDEST)


_WIDEST = 5.0
"""On the plane z = 1, 79 degrees off the axis; patches farther out are too bent to compare."""
