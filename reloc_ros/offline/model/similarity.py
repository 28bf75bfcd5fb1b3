"""Similarity transforms, and the one that best lays one set of points on another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.geometry import SE3

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Similarity:
    """`a_from_b` with a change of scale: x_a = scale * rotation @ x_b + translation."""

    scale: float
    rotation: Array
    """(3, 3)"""
    translation: Array
    """(3,) in units of a."""

    @staticmethod
    def identity() -> Similarity:
        return Similarity(1.0, np.eye(3), np.zeros(3))

    def apply(self, points: ArrayLike) -> Array:
        """Move points (N, 3) in b to (N, 3) in a."""
        return self.scale * np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation

    def inverse(self) -> Similarity:
        return Similarity(
            1 / self.scale, self.rotation.T.copy(), -self.rotation.T @ self.translation / self.scale
        )

    def __matmul__(self, other: Similarity) -> Similarity:
        """`a_from_b @ b_from_c` is `a_from_c`."""
        return Similarity(
            self.scale * other.scale,
            self.rotation @ other.rotation,
            self.scale * self.rotation @ other.translation + self.translation,
        )

    def move_camera(self, camera_from_b: SE3) -> SE3:
        """`camera_from_a`, its unit that of a, for a camera posed in b."""
        rotation = camera_from_b.rotation @ self.rotation.T
        return SE3(rotation, self.scale * camera_from_b.translation - rotation @ self.translation)

    def to_json(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "rotation": self.rotation.tolist(),
            "translation": self.translation.tolist(),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Similarity:
        return Similarity(float(data["scale"]), np.array(data["rotation"]), np.array(data["translation"]))


def fit_similarity(points_a: Array, points_b: Array) -> Similarity:
    """The least-squares `a_from_b` of points (N, 3): Umeyama, "Least-Squares Estimation of Transformation
    Parameters Between Two Point Patterns" (1991).

    The points must not all lie on one line, see `spread`; on a plane, as those of a board do, they may, where
    `pycolmap.estimate_sim3d` gives nothing.
    """
    mean_a, mean_b = points_a.mean(axis=0), points_b.mean(axis=0)
    centered_a, centered_b = points_a - mean_a, points_b - mean_b
    u, singular, vt = np.linalg.svd(centered_a.T @ centered_b)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * signs) @ vt
    scale = float((singular * signs).sum() / (centered_b**2).sum())
    return Similarity(scale, rotation, mean_a - scale * rotation @ mean_b)


def left_by_similarities(points_a: Array, points_b: Array, weights: Array) -> Array:
    """(C,) the share of the variance of C sets of points (C, N, 3) that the best similarity of (N, 3) to each leaves.

    By the singular values alone, see `fit_similarity`.

    Args:
        weights: (C, N) of the points of each set, their sum 1.
    """
    a = points_a - np.einsum("cn,cni->ci", weights, points_a)[:, None]
    b = points_b - np.einsum("cn,ni->ci", weights, points_b)[:, None]
    variance_a, variance_b = (np.einsum("cn,cni,cni->c", weights, each, each) for each in (a, b))
    cross = np.einsum("cn,cni,cnj->cij", weights, a, b)
    singular = np.linalg.svd(cross, compute_uv=False)
    singular[:, 2] *= np.sign(np.linalg.det(cross))
    explained = singular.sum(axis=1) ** 2 / np.maximum(variance_a * variance_b, 1e-300)
    return np.where(variance_a > 0, 1 - explained, 1.0)


def spread(points: Array) -> Array:
    """(3,) standard deviations of points (N, 3) along their principal axes, widest first."""
    return np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(len(points))
