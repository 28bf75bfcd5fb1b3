"""Triangulate all points of a model at once from known poses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera

Array = NDArray[np.float64]

CAUCHY_SCALE_PX = 2.0
"""Residuals beyond this count ever less: a wrong match in a track must not pull its point."""
BEHIND_PX = 1e3
"""The residual charged for a point behind its camera, so that no step that puts it there is taken."""
_AT_ONCE = 20_000
"""Points that are worked on together, which takes some 80 MB."""
_ITERATIONS = 30
"""At the most; nearly all points converge in a handful."""
_CONVERGED = 1e-9
"""A point has converged when its step is this small beside its distance from the origin."""


@dataclass(frozen=True, eq=False)
class Rays:
    """M observations of points by posed cameras, in point order."""

    cameras: Mapping[int, Camera]
    camera_ids: NDArray[np.int64]
    """(M,) key into `cameras`."""
    rotations: Array
    """(M, 3, 3) of camera_from_map."""
    translations: Array
    """(M, 3) of camera_from_map."""
    points: NDArray[np.int32]
    """(M,) ascending; every index from 0 on occurs."""
    pixels: Array
    """(M, 2)"""

    def of_points(self, keep: NDArray[np.bool_]) -> Rays:
        """The observations of some of the points, (P,) bool, which are numbered anew."""
        mine = keep[self.points]
        return Rays(
            cameras=self.cameras,
            camera_ids=self.camera_ids[mine],
            rotations=self.rotations[mine],
            translations=self.translations[mine],
            points=(np.cumsum(keep) - 1)[self.points[mine]].astype(np.int32),
            pixels=self.pixels[mine],
        )

    def of_range(self, first: int, end: int) -> Rays:
        """The observations of the points from one on and before another, which are numbered anew from 0."""
        rows = slice(*np.searchsorted(self.points, [first, end]))
        return Rays(
            cameras=self.cameras,
            camera_ids=self.camera_ids[rows],
            rotations=self.rotations[rows],
            translations=self.translations[rows],
            points=self.points[rows] - np.int32(first),
            pixels=self.pixels[rows],
        )

    def about(self, origin: Array) -> Rays:
        """The same in a frame that is shifted to a point (3,) of this one."""
        return replace(self, translations=self.translations + self.rotations @ origin)

    def in_camera(self, points_map: Array) -> Array:
        """(M, 3) each observation's point in its camera's frame."""
        moved = np.einsum("mij,mj->mi", self.rotations, points_map[self.points])
        return moved + self.translations

    def project(self, points_map: Array) -> Array:
        """(M, 2) px, NaN behind the camera."""
        return self.project_in_camera(self.in_camera(points_map))

    def residuals_px(self, points_map: Array) -> Array:
        """(M, 2) projections less observed pixels; `BEHIND_PX` behind the camera."""
        residuals = self.project(points_map) - self.pixels
        return np.where(np.isfinite(residuals), residuals, BEHIND_PX)

    def errors_px(self, points_map: Array) -> Array:
        """(M,) reprojection errors; infinite behind the camera."""
        errors = np.linalg.norm(self.project(points_map) - self.pixels, axis=1)
        return np.where(np.isnan(errors), np.inf, errors)

    def jacobian(self, points_map: Array, residuals_px: Array) -> Array:
        """(M, 2, 3) of pixels by points_map, by finite differences in the camera frame, for any camera model."""
        points_camera = self.in_camera(points_map)
        delta = 1e-6 * np.linalg.norm(points_camera, axis=1, keepdims=True)
        here = residuals_px + self.pixels
        columns = [
            (self.project_in_camera(points_camera + delta * axis) - here) / delta for axis in np.eye(3)
        ]
        return np.nan_to_num(np.stack(columns, axis=2)) @ self.rotations

    def project_in_camera(self, points_camera: Array) -> Array:
        pixels = np.empty((len(points_camera), 2))
        for key, camera in self.cameras.items():
            mine = self.camera_ids == key
            pixels[mine] = camera.project(points_camera[mine])
        return pixels

    def directions_map(self) -> Array:
        """(M, 3) unit vectors from the camera through the observed pixel; NaN where the lens puts nothing."""
        plane = np.empty_like(self.pixels)
        for key, camera in self.cameras.items():
            mine = self.camera_ids == key
            plane[mine] = camera.unproject(self.pixels[mine])
        rays_camera = np.column_stack([plane, np.ones(len(plane))])
        rays_map = np.einsum("mji,mj->mi", self.rotations, rays_camera)
        return rays_map / np.linalg.norm(rays_map, axis=1, keepdims=True)

    def centers_map(self) -> Array:
        """(M, 3)"""
        return -np.einsum("mji,mj->mi", self.rotations, self.translations)

    def sum_by_point(self, values: Array) -> Array:
        """Sum (M, ...) over the observations of each point: (P, ...)."""
        starts = np.flatnonzero(np.diff(self.points, prepend=-1))
        return np.add.reduceat(values, starts, axis=0) if len(starts) else values[:0]

    def mean_errors_px(self, points_map: Array) -> Array:
        """(P,) mean reprojection error; infinite for a point behind one of its cameras."""
        return self.sum_by_point(self.errors_px(points_map)) / self.sum_by_point(np.ones(len(self.points)))


@dataclass(frozen=True, eq=False)
class Triangulation:
    points_map: Array
    """(P, 3)"""
    errors_px: Array
    """(P,) mean reprojection error; infinite for a point behind one of its cameras."""
    angles_deg: Array
    """(P,) the widest angle at which two of its rays meet, or nearly."""


def triangulate(rays: Rays, count: int) -> Triangulation:
    """Find the `count` points that best explain the observations, from the observations alone."""
    if count == 0:
        return Triangulation(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    origin = np.median(rays.centers_map(), axis=0)  # else the map's own would matter, and how far away it is
    found = []
    for first in range(0, count, _AT_ONCE):  # they do not depend on each other, and would take much memory
        few = rays.of_range(first, first + _AT_ONCE)
        near = few.about(origin)
        points = refine_points(near, meet_rays(near))
        found.append((points + origin, near.mean_errors_px(points), _angles_deg(few)))
    return Triangulation(*map(np.concatenate, zip(*found, strict=True)))


def meet_rays(rays: Rays) -> Array:
    """(P, 3) the points nearest to their rays in the least-squares sense."""
    directions = rays.directions_map()
    projectors = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    projectors = np.nan_to_num(projectors)  # a pixel without a ray says nothing
    normal = rays.sum_by_point(projectors)
    right = rays.sum_by_point(np.einsum("mij,mj->mi", projectors, rays.centers_map()))
    normal += 1e-12 * np.eye(3)  # parallel rays meet nowhere; such points are dropped by their angle
    return np.linalg.solve(normal, right[:, :, None])[:, :, 0]


def refine_points(rays: Rays, points_map: Array) -> Array:
    """Minimise the robust reprojection error of each point: Levenberg-Marquardt, all points side by side.

    Cauchy loss by iteratively reweighted least squares, see Triggs et al., "Bundle Adjustment - A Modern
    Synthesis" (2000), sections 3.3 and 4.3.
    """
    points_map = points_map.copy()
    active = np.arange(len(points_map))  # have not converged; few need more than a handful of rounds
    damping = np.full(len(points_map), 1e-3)
    residuals = rays.residuals_px(points_map)
    for _ in range(_ITERATIONS):
        now = points_map[active]
        step = _step(rays, now, residuals, damping[active])
        tried_residuals = rays.residuals_px(now + step)
        better = _cost(rays, tried_residuals) < _cost(rays, residuals)
        points_map[active[better]] += step[better]
        damping[active] *= np.where(better, 0.1, 10)
        residuals = np.where(better[rays.points, None], tried_residuals, residuals)
        moving = np.linalg.norm(step, axis=1) > _CONVERGED * (1e-12 + np.linalg.norm(now, axis=1))
        if not moving.any():
            break
        residuals = residuals[moving[rays.points]]
        rays = rays.of_points(moving)
        active = active[moving]
    return points_map


def covariances(rays: Rays, points_map: Array) -> Array:
    """(P, 3, 3) of points by their observations, poses and intrinsics being exact: s^2 (sum of J^T J)^-1.

    Hartley and Zisserman, "Multiple View Geometry" (2nd ed.), section 5.2, on the backward transport of covariance.
    s, in pixels, is one for all, and from the median of the residuals, which wrong matches in the tracks do not move.
    """
    residuals = rays.residuals_px(points_map)
    jacobian = rays.jacobian(points_map, residuals)
    observations = rays.sum_by_point(np.ones(len(residuals)))
    # Of the 2 n coordinates of a point's n observations, three went to the point; the square of two standard normals
    # has the median 2 ln 2.
    square = np.einsum("mi,mi->m", residuals, residuals) / (1 - 1.5 / observations)[rays.points]
    information = rays.sum_by_point(np.einsum("mki,mkj->mij", jacobian, jacobian))
    information += 1e-12 * np.trace(information, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    variance: Array = np.median(square) / (2 * np.log(2)) * np.linalg.pinv(information, hermitian=True)
    return variance


def _cost(rays: Rays, residuals: Array) -> Array:
    """(P,) sum of Cauchy losses."""
    squared = np.einsum("mi,mi->m", residuals, residuals)
    return rays.sum_by_point(np.log1p(squared / CAUCHY_SCALE_PX**2))


def _step(rays: Rays, points_map: Array, residuals: Array, damping: Array) -> Array:
    """(P, 3) one damped Gauss-Newton step for each point."""
    jacobian = rays.jacobian(points_map, residuals)
    weights = 1 / (1 + np.einsum("mi,mi->m", residuals, residuals) / CAUCHY_SCALE_PX**2)
    weighted = jacobian * weights[:, None, None]
    normal = rays.sum_by_point(np.einsum("mki,mkj->mij", weighted, jacobian))
    gradient = rays.sum_by_point(np.einsum("mki,mk->mi", weighted, residuals))
    diagonal = np.einsum("pii->pi", normal)
    diagonal *= 1 + damping[:, None]
    diagonal += 1e-12 * (1e-12 + diagonal.max(axis=1, keepdims=True))
    return -np.linalg.solve(normal, gradient[:, :, None])[:, :, 0]


def _angles_deg(rays: Rays) -> Array:
    """(P,) the angle from the ray that is farthest from the first ray to the ray farthest from that."""
    directions = rays.directions_map()
    has_ray = np.isfinite(directions).all(axis=1)
    directions = np.nan_to_num(directions)
    starts = np.flatnonzero(np.diff(rays.points, prepend=-1))
    reference = directions[starts]
    for _ in range(2):
        cosines = np.where(has_ray, np.einsum("mi,mi->m", directions, reference[rays.points]), 1.0)
        smallest = np.minimum.reduceat(cosines, starts)
        # Rows are in point order, so the last row at the minimum overwrites the others of its point.
        farthest = np.flatnonzero(cosines == smallest[rays.points])
        reference = reference.copy()
        reference[rays.points[farthest]] = directions[farthest]
    return np.degrees(np.arccos(np.clip(smallest, -1, 1)))
