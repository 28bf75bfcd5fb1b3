"""A rigid thing of known shape, laid into a model so that it is seen where it was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import SE3
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.model.triangulate import Rays

Array = NDArray[np.float64]

_CAUCHY_PX = 1.0
_BEHIND_PX = 1e3


@dataclass(frozen=True, eq=False)
class RigidFit:
    sfm_from_board: Similarity
    scale_error: float
    """Standard error of the scale, as a share of it."""
    turn_error_deg: float
    """Standard error of the rotation about the axis that is known worst."""
    errors_px: Array
    """(M,) how far each corner was seen from where it now is; infinite behind the camera."""


def fit_rigidly(rays: Rays, images: NDArray[np.intp], points_board: Array, start: Similarity) -> RigidFit:
    """Least squares of the distances in the images, with a Cauchy loss, over the seven numbers of a similarity.

    The errors are those of the sandwich estimator with one cluster an image, as the pose of an image moves all that
    is seen in it together: Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference" (2015).

    Args:
        rays: sightings of points, their `points` indices into `points_board`.
        images: (M,) which image each sighting is in.
        points_board: (C, 3)
        start: sfm_from_board, near the solution.
    """
    from scipy.optimize import least_squares

    unit = start.scale * float(np.abs(points_board).max())

    def moved(step: Array) -> Similarity:
        turn = SE3.from_rotation_vector(step[1:4], np.zeros(3)).rotation
        shift = start.translation + unit * step[4:]
        return Similarity(start.scale * np.exp(step[0]), turn @ start.rotation, shift)

    def residuals(step: Array) -> Array:
        gaps = rays.project(moved(step).apply(points_board)) - rays.pixels
        return np.where(np.isfinite(gaps), gaps, _BEHIND_PX).ravel()

    found = least_squares(residuals, np.zeros(7), loss="cauchy", f_scale=_CAUCHY_PX)
    gaps = found.fun.reshape(-1, 2)
    distances = np.linalg.norm(gaps, axis=1)
    covariance = _covariance(found.jac.reshape(-1, 2, 7), gaps, images)
    return RigidFit(
        moved(found.x),
        float(np.sqrt(covariance[0, 0])),
        float(np.degrees(np.sqrt(np.linalg.eigvalsh(covariance[1:4, 1:4])[-1]))),
        np.where(distances < _BEHIND_PX, distances, np.inf),
    )


def _covariance(jacobian: Array, gaps: Array, images: NDArray[np.intp]) -> Array:
    """(7, 7); the larger, part by part, of what single sightings and what whole images scatter."""
    squared = np.sum(gaps**2, axis=1)
    weights = 1 / (1 + squared / _CAUCHY_PX**2)
    inverse = np.linalg.pinv(np.einsum("m,mki,mkj->ij", weights, jacobian, jacobian))
    pulls = np.einsum("m,mki,mk->mi", weights, jacobian, gaps)
    clusters = np.array([pulls[images == image].sum(axis=0) for image in np.unique(images)])
    by_image = inverse @ (clusters.T @ clusters) @ inverse * len(clusters) / max(1, len(clusters) - 1)
    freedom = max(1.0, 2 * weights.sum() - 7)
    by_sighting = inverse * float(weights @ squared) / freedom
    return by_image if np.trace(by_image[:4, :4]) > np.trace(by_sighting[:4, :4]) else by_sighting
