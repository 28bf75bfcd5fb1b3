"""Triangulate a point that was picked, or detected, in several images of a model, some of them wrongly."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.model.sfm import MIN_TRIANGULATION_ANGLE_DEG, SfmModel
from reloc_ros.offline.model.triangulate import Rays, meet_rays, triangulate

Array = NDArray[np.float64]

MAX_ERROR_PX = 5.0
"""Sightings farther from their point's projection are of something else; careful picks are within two or so."""
MIN_SIGMA_PX = 0.3
"""However well few sightings agree by chance, they are no better than this."""
_MOST_PAIRS = 60
"""Of so many pairs of sightings, with one in five wrong, all but certainly some have none."""


@dataclass(frozen=True, eq=False)
class PlacedPoint:
    """A point that was triangulated from sightings."""

    position: Array
    """(3,) in the model's frame."""
    covariance: Array
    """(3, 3)"""
    used: NDArray[np.bool_]
    """(N,) which sightings agree."""
    errors_px: Array
    """(N,) how far each sighting is from the point's projection; infinite behind the camera."""
    angle_deg: float
    """The widest angle at which two lines of sight that were used meet."""

    @property
    def reliable(self) -> bool:
        """Whether at least two sightings agree, from directions that differ."""
        return bool(self.used.sum() >= 2 and self.angle_deg >= MIN_TRIANGULATION_ANGLE_DEG)


def place_point(model: SfmModel, images: NDArray[np.intp], pixels: Array, seed: int = 0) -> PlacedPoint:
    """Triangulate a point robustly: from the pair of sightings with which most others agree, then from all those.

    Args:
        images: (N,) indices into the model's images.
        pixels: (N, 2) where the point was seen in each.
    """
    pairs = list(itertools.combinations(range(len(images)), 2))
    if len(pairs) > _MOST_PAIRS:
        chosen = np.random.default_rng(seed).choice(len(pairs), _MOST_PAIRS, replace=False)
        pairs = [pairs[k] for k in chosen]
    rows = np.array(pairs, dtype=np.intp).reshape(-1)
    trials = meet_rays(model.rays(images[rows], pixels[rows], np.arange(len(rows)) // 2))
    every = _rays_of_one(model, images, pixels)
    errors = np.stack([every.errors_px(position[None]) for position in trials])
    costs = np.minimum(errors, MAX_ERROR_PX).sum(axis=1)
    best = errors[int(costs.argmin())] <= MAX_ERROR_PX
    if best.sum() < 2:
        best = np.ones(len(images), dtype=bool)
    rays = _rays_of_one(model, images[best], pixels[best])
    made = triangulate(rays, 1)
    errors_px = every.errors_px(made.points_map)
    return PlacedPoint(
        position=made.points_map[0],
        covariance=_covariance(rays, made.points_map),
        used=best & (errors_px <= MAX_ERROR_PX),
        errors_px=errors_px,
        angle_deg=float(made.angles_deg[0]),
    )


def point_covariance(model: SfmModel, point: int) -> Array:
    """(3, 3) of a point of the model, by its observations."""
    mine = slice(*np.searchsorted(model.observation_point, [point, point + 1]))
    rays = _rays_of_one(model, model.observation_image[mine], model.observation_px[mine])
    return _covariance(rays, model.points_map[[point]])


def _rays_of_one(model: SfmModel, images: NDArray[np.integer], pixels: Array) -> Rays:
    return model.rays(images, pixels, np.zeros(len(images), dtype=np.intp))


def _covariance(rays: Rays, position: Array) -> Array:
    """Inverse of the information of sightings of one point (1, 3), whose noise is what their errors show."""
    errors_px = rays.errors_px(position)
    finite = errors_px[np.isfinite(errors_px)]
    freedom = max(1, 2 * len(finite) - 3)
    sigma_px = max(MIN_SIGMA_PX, float(np.sqrt(np.sum(finite**2) / freedom)))
    jacobian = rays.jacobian(position, rays.residuals_px(position))
    return sigma_px**2 * np.linalg.pinv(np.einsum("mki,mkj->ij", jacobian, jacobian))
