"""Rigid transforms.

Frames: a transform is named `a_from_b` and maps coordinates in b to coordinates in a, so chains cancel as they
are read. Camera frames are optical (REP-103): x right, y down, z forward.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
FARTHEST = 1e12
"""Of a place that others tell of, from the origin: in metres beyond all planets; products of such ones stay finite."""


def are_places(*positions: ArrayLike) -> bool:
    """Whether positions that others tell of, of any shape, can be places: finite, and nearer than `FARTHEST`."""
    return all(bool((np.abs(each) < FARTHEST).all()) for each in positions)


@dataclasses.dataclass(frozen=True, eq=False)
class SE3:
    """A rigid transform `a_from_b`: x_a = rotation @ x_b + translation."""

    rotation: Array
    """(3, 3) float64, orthonormal with determinant 1."""
    translation: Array
    """(3,) float64, in the unit of the frames."""

    @staticmethod
    def identity() -> SE3:
        return SE3(np.eye(3), np.zeros(3))

    @staticmethod
    def from_matrix(matrix: ArrayLike) -> SE3:
        """From a (4, 4) or (3, 4) homogeneous matrix."""
        matrix = np.asarray(matrix, dtype=np.float64)
        return SE3(matrix[:3, :3].copy(), matrix[:3, 3].copy())

    @staticmethod
    def from_rotation_vector(rotation_vector: ArrayLike, translation: ArrayLike) -> SE3:
        """From an axis times angle in radians, (3,), and a translation, (3,)."""
        rotation, _ = cv2.Rodrigues(np.asarray(rotation_vector, dtype=np.float64).reshape(3))
        return SE3(np.asarray(rotation, np.float64), np.array(translation, dtype=np.float64).reshape(3))

    @staticmethod
    def from_quaternion_wxyz(quaternion_wxyz: ArrayLike, translation: ArrayLike) -> SE3:
        """From a quaternion (w, x, y, z) of any non-zero norm and a translation, (3,), as others tell them.

        Raises:
            ValueError: they are no pose of anything.
        """
        quaternion = np.asarray(quaternion_wxyz, dtype=np.float64).reshape(4)
        largest = np.abs(quaternion).max()
        if not 0 < largest < np.inf:
            raise ValueError(
                f"a quaternion needs finite numbers and a norm above zero, got {quaternion.tolist()}"
            )
        quaternion = (
            quaternion / largest
        )  # before anything is squared, which may be nothing then, or infinite
        w, *vector = quaternion / np.linalg.norm(quaternion)
        # R = I + 2 w [v]x + 2 [v]x^2 for a unit quaternion (w, v).
        skew = cross_matrix(vector)
        rotation = np.eye(3) + 2 * w * skew + 2 * skew @ skew
        moved = np.array(translation, dtype=np.float64).reshape(3)
        if not are_places(moved):
            raise ValueError(f"a translation needs finite numbers below {FARTHEST:g}, got {moved.tolist()}")
        return SE3(rotation, moved)

    @property
    def matrix(self) -> Array:
        """(4, 4) homogeneous matrix."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        matrix[:3, 3] = self.translation
        return matrix

    @property
    def rotation_vector(self) -> Array:
        """(3,) axis times angle, radians, of norm at most pi."""
        # Not by cv2.Rodrigues, which takes every angle below 1e-5 for zero.
        w, *vector = self.quaternion_wxyz
        sine = np.linalg.norm(vector)
        return np.array(vector) * (2 * np.arctan2(sine, w) / sine if sine > 0 else 2.0)

    @property
    def quaternion_wxyz(self) -> Array:
        """(4,) unit quaternion (w, x, y, z) with w >= 0.

        Taken as the dominant eigenvector of Bar-Itzhack's symmetric matrix ("New Method for Extracting the
        Quaternion from a Rotation Matrix", 2000), which has no special cases and forgives rounding.
        """
        r = self.rotation
        k = np.array(
            [
                [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
                [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
                [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], 0],
                [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r[0, 0] + r[1, 1] + r[2, 2]],
            ]
        )
        _, vectors = np.linalg.eigh(k / 3.0)  # eigh reads the lower triangle
        x, y, z, w = vectors[:, -1]
        quaternion = np.array([w, x, y, z])
        return -quaternion if w < 0 else quaternion

    @property
    def center(self) -> Array:
        """(3,) where a's origin lies in b: the camera centre in the map for a `camera_from_map`."""
        return -self.rotation.T @ self.translation

    def inverse(self) -> SE3:
        return SE3(self.rotation.T.copy(), self.center)

    def __matmul__(self, other: SE3) -> SE3:
        """`a_from_b @ b_from_c` is `a_from_c`."""
        return SE3(self.rotation @ other.rotation, self.rotation @ other.translation + self.translation)

    def apply(self, points: ArrayLike) -> Array:
        """Move points (N, 3) in b to (N, 3) in a."""
        return np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation


def rotation_error_deg(a: SE3, b: SE3) -> float:
    """Angle in degrees of the rotation between two transforms, accurate near zero.

    From the chord ||Ra - Rb||_F = 2 sqrt(2) sin(angle / 2) (Hartley et al., "Rotation Averaging", 2013).
    """
    chord = np.linalg.norm(a.rotation - b.rotation) / (2 * np.sqrt(2))
    return float(np.degrees(2 * np.arcsin(min(chord, 1.0))))


def center_error(a: SE3, b: SE3) -> float:
    """Distance between the camera centres of two `camera_from_map`, in the map's unit."""
    return float(np.linalg.norm(a.center - b.center))


def pose_adjoint(a_from_b: SE3) -> Array:
    """(6, 6) matrix that moves a covariance or twist (translation, rotation) from frame b to frame a.

    See Barfoot, "State Estimation for Robotics", eq. 7.45, with translation first.
    """
    adjoint = np.zeros((6, 6))
    adjoint[:3, :3] = adjoint[3:, 3:] = a_from_b.rotation
    adjoint[:3, 3:] = cross_matrix(a_from_b.translation) @ a_from_b.rotation
    return adjoint


def cross_matrix(vector: ArrayLike) -> Array:
    """(3, 3) [v]x, for which [v]x u is the cross product of v and u, (3,) each."""
    x, y, z = np.asarray(vector, dtype=np.float64)
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
