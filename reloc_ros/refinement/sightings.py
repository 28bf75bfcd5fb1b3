"""Which of the map's points a camera should see where, and in which reference view to look them up."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.picture_cells import cells_of_shares, ranks_in_groups
from reloc_ros.refinement.references import References

Array = NDArray[np.float64]

VIEWS = 12
"""Reference views that are looked at for one image; all of them gave the same errors in half as much time again."""
SIGHTINGS_PER_POINT = 2
"""Bounds how much one point counts."""
MAX_ANGLE_RAD = np.radians(40)
"""Between the rays from a point to the camera and to the reference view."""
MIN_FACING = 0.15
"""Cosine between the surface's normal and either ray."""
MIN_STRETCH = 0.4
"""Pixels of the reference view for one of the image; a coarser view knows too little."""
CELLS = 10
"""Sightings are spread over this many cells of the picture a side."""
_NEAR_ANGLE_RAD, _NEAR_LOG_DISTANCE = 0.35, 0.7
"""A view that is off by this, around what it shows or in the logarithm of its distance, counts 1/e of a near one."""
_ALIKE_ANGLE_RAD = 0.3
"""Of two sightings of a point, the one from this much farther aside is as good as one from e times as far or near."""
_SAMPLE = 16
"""Points of a view that tell whether the camera should see what it sees."""


@dataclasses.dataclass(frozen=True, eq=False)
class Warped:
    """N sightings as they should be seen in the image."""

    points_map: Array
    """(N, 3)"""
    views: NDArray[np.int32]
    """(N,) the reference view of each."""
    centers_px: NDArray[np.float32]
    """(N, 2) where in that view."""
    view_from_image: NDArray[np.float32]
    """(N, 2, 2) pixels of the view for a pixel of the image."""
    covariances_map: Array
    """(N, 3, 3) of the points."""


class Sightings:
    """The geometry of all M sightings of the references, worked out once."""

    def __init__(self, references: References) -> None:
        views, points = references.seen_view, references.seen_point
        self._views, self._points = views, points
        self._places_px = references.seen_px.astype(np.float32)
        self._points_map = references.points_map[points]
        self._covariances_map = references.covariances_map
        self._normals_map = references.normals_map[points]
        self._starts = np.searchsorted(views, np.arange(len(references.files) + 1))
        self._centers_map = np.array([pose.center for pose in references.camera_from_map])
        rays = self._centers_map[views] - self._points_map
        self._distances = np.linalg.norm(rays, axis=1)
        self._rays = rays / self._distances[:, None]
        self._facing = _dot(self._rays, self._normals_map)
        self._tangents_map = _tangents(self._normals_map)
        poses = zip(references.camera_from_map, references.cameras, strict=True)
        ranges = (slice(*self._starts[view : view + 2]) for view in range(len(references.files)))
        projected = [self._project_tangents(rows, *pose) for rows, pose in zip(ranges, poses, strict=True)]
        self._view_from_surface = np.concatenate(projected)
        samples = np.linspace(self._starts[:-1], self._starts[1:] - 1, _SAMPLE, dtype=np.intp).T
        self._samples_map = self._points_map[samples]
        self._focuses_map = np.median(self._samples_map, axis=1)

    def choose(self, camera_from_map: SE3, camera: Camera, count: int) -> Warped:
        """At most `count` sightings, from the nearest views, of points that the camera should see.

        The first of them are well spread over the image, and so are the first of the others.
        """
        low, high = _field(camera)
        views = self.nearest_views(camera_from_map, camera)
        nothing = np.zeros(0, np.intp)  # as `concatenate` needs one array
        rows = np.concatenate([nothing, *(np.arange(*self._starts[view : view + 2]) for view in views)])
        places, inside = _places(camera_from_map.apply(self._points_map[rows]), low, high)
        good, costs = self._judge(camera_from_map.center, rows)
        kept = np.flatnonzero(inside & good)
        rows, costs, places = rows[kept], costs[kept], places[kept]
        kept = np.flatnonzero(ranks_in_groups(self._points[rows], costs) < SIGHTINGS_PER_POINT)
        rows, costs, places = rows[kept], costs[kept], places[kept]
        turns = ranks_in_groups(cells_of_shares(places, CELLS), costs)
        return self._warped(camera_from_map, camera, rows[np.argsort(turns, kind="stable")[:count]])

    def _warped(self, camera_from_map: SE3, camera: Camera, rows: NDArray[np.intp]) -> Warped:
        """The sightings of these rows as the camera should see them, less those that it cannot."""
        image_from_surface = self._project_tangents(rows, camera_from_map, camera)
        with np.errstate(divide="ignore", invalid="ignore"):
            view_from_image = self._view_from_surface[rows] @ _inverses(image_from_surface)
            kept = np.flatnonzero(np.abs(_determinants(view_from_image)) > MIN_STRETCH**2)  # not for NaN
        rows = rows[kept]
        return Warped(
            self._points_map[rows],
            self._views[rows],
            self._places_px[rows],
            view_from_image[kept].astype(np.float32),
            self._covariances_map[self._points[rows]],
        )

    def nearest_views(self, camera_from_map: SE3, camera: Camera) -> NDArray[np.intp]:
        """The views that show most of what the camera should see, from about where it is, the best first."""
        low, high = _field(camera)
        _, inside = _places(camera_from_map.apply(self._samples_map.reshape(-1, 3)), low, high)
        shared = inside.reshape(-1, _SAMPLE).mean(axis=1)
        to_camera, to_view = camera_from_map.center - self._focuses_map, self._centers_map - self._focuses_map
        camera_distance, view_distance = np.linalg.norm(to_camera, axis=1), np.linalg.norm(to_view, axis=1)
        angle = np.arccos(np.clip(_dot(to_camera, to_view) / (camera_distance * view_distance), -1, 1))
        nearness = np.exp(
            -((angle / _NEAR_ANGLE_RAD) ** 2)
            - (np.log(camera_distance / view_distance) / _NEAR_LOG_DISTANCE) ** 2
        )
        score = np.nan_to_num(shared * nearness)
        best = np.argsort(-score)[:VIEWS]
        chosen: NDArray[np.intp] = best[score[best] > 0]
        return chosen

    def _judge(self, center_map: Array, rows: NDArray[np.intp]) -> tuple[NDArray[np.bool_], Array]:
        """Which sightings look alike from the camera, and how much they do not, 0 at best."""
        rays = center_map - self._points_map[rows]
        distances = np.sqrt(_dot(rays, rays))
        rays /= distances[:, None]
        cosines = np.clip(_dot(rays, self._rays[rows]), -1, 1)
        facing = np.minimum(_dot(rays, self._normals_map[rows]), self._facing[rows])
        good = (cosines > np.cos(MAX_ANGLE_RAD)) & (facing > MIN_FACING)
        nearer = np.abs(np.log(self._distances[rows] / distances))
        return good, np.arccos(cosines) / _ALIKE_ANGLE_RAD + nearer + 0.5 * (1 - facing)

    def _project_tangents(
        self, rows: slice | NDArray[np.intp], camera_from_map: SE3, camera: Camera
    ) -> Array:
        """(N, 2, 2) pixels for a step along each tangent (the columns), by differences, for any camera model."""
        points_camera = camera_from_map.apply(self._points_map[rows])
        tangents_camera = self._tangents_map[rows] @ camera_from_map.rotation.T
        step = 1e-4 * points_camera[:, 2]
        around = [points_camera + step[:, None] * tangents_camera[:, i] for i in range(2)]
        pixels = camera.project(np.concatenate([points_camera, *around])).reshape(3, -1, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            projected: Array = ((pixels[1:] - pixels[0]) / step[:, None]).transpose(1, 2, 0)
        return projected


def _tangents(normals: Array) -> Array:
    """(P, 2, 3) two unit vectors along each surface, at right angles."""
    across = np.where(np.abs(normals[:, :1]) < 0.8, [[1.0, 0, 0]], [[0, 1.0, 0]])
    first = np.cross(normals, across)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(normals, first)], axis=1)


def _places(points_camera: Array, low: Array, high: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Where points (N, 3) lie in a box on the plane z = 1, (N, 2) from 0 to 1, and which lie in it (N,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        places = (points_camera[:, :2] / points_camera[:, 2:] - low) / (high - low)
    x, y = places.T
    return places, (points_camera[:, 2] > 0) & (x > 0) & (x < 1) & (y > 0) & (y < 1)


def _dot(a: Array, b: Array) -> Array:
    """(N,) products of vectors (N, 3)."""
    products: Array = np.einsum("ni,ni->n", a, b)
    return products


def _determinants(matrices: Array) -> Array:
    """Of (N, 2, 2)."""
    return matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0]


def _inverses(matrices: Array) -> Array:
    """Of (N, 2, 2); not finite where there is none."""
    (a, b), (c, d) = matrices.transpose(1, 2, 0)
    return np.array([[d, -b], [-c, a]]).transpose(2, 0, 1) / _determinants(matrices)[:, None, None]


@functools.lru_cache(maxsize=16)
def _field(camera: Camera) -> tuple[Array, Array]:
    """The box on the plane z = 1 that an image covers, its lowest and highest x and y."""
    x, y = np.arange(camera.width), np.arange(camera.height)
    border = np.concatenate(
        [np.column_stack([x, np.full_like(x, row)]) for row in (0, camera.height - 1)]
        + [np.column_stack([np.full_like(y, column), y]) for column in (0, camera.width - 1)]
    )
    rays = camera.unproject(border)
    if not np.isfinite(rays).all():  # the border shows what is beside or behind, or nothing
        return np.full(2, -_WIDEST), np.full(2, _WIDEST)
    return np.maximum(rays.min(axis=0), -_WIDEST), np.minimum(rays.max(axis=0), _WIDEST)


_WIDEST = 5.0
"""On the plane z = 1, 79 degrees off the axis; patches farther out are too bent to compare."""
