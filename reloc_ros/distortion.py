"""How lenses bend rays, and exactly back: OpenCV's rational (Brown-Conrady) and fisheye (Kannala-Brandt) models.

A bent place is a pixel without the focal lengths and the principal point. The models bend by polynomials that may fold
back far outside the image: what lies past the fold is not seen there, so it has no bent place, and a bent place farther
out than the fold has no ray. (OpenCV's own inversions give some finite ray there.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from reloc_ros.geometry import Array

_Complex = NDArray[np.complex128]

_NOWHERE = complex(np.nan, np.nan)
_MAX_STEPS = 25
"""Of Newton's method; two are usual, but at a fold each merely halves the error."""
_EXACT = 1e-13
"""A misfit beside the focal length, far below a millionth of a pixel."""
_QUIET = np.errstate(over="ignore", invalid="ignore", divide="ignore")
"""What lies next to the camera's own plane, or is no number, comes out as none without a warning."""
_NOTHING = 1e-12
"""A coefficient that bends nothing."""
_NODES = 1024
"""Of the table in which Newton's method finds its start."""
_FARTHEST = np.arctan(1e3)
"""The last of them for a lens that never folds, as an angle from the axis."""


class Lens(Protocol):
    """From a ray's direction to where the lens puts it, and back."""

    def distort(self, points_camera: Array) -> Array:
        """Bent places (N, 2) of points (N, 3) in the camera frame; NaN for those that cannot be seen."""
        ...

    def undistort(self, bent: Array) -> Array:
        """Points (N, 2) on the plane z = 1 that are bent to places (N, 2); NaN where there is none."""
        ...


class Pinhole:
    """No distortion."""

    def distort(self, points_camera: Array) -> Array:
        return _on_plane(points_camera)

    def undistort(self, bent: Array) -> Array:
        return bent


class Brown:
    """A quotient of polynomials along the radius, and tangential distortion.

    With z = x + iy on the plane z = 1, s = |z|^2, q = p2 + i p1 and its conjugate q', OpenCV's formula reads
    f(z) = z g(s) + q' z^2 + 2 q s. The derivatives below are Wirtinger's, of f by z and by the conjugate of z.
    """

    def __init__(self, coefficients: tuple[float, ...]) -> None:
        """Args: coefficients: k1 k2 p1 p2 k3 k4 k5 k6."""
        k1, k2, p1, p2, k3, *below = coefficients
        self._above, self._below = _trimmed(1, k1, k2, k3), _trimmed(1, *below)
        self._tangential = complex(p2, p1)
        self._fold = _growing_up_to(self._above, self._below)
        """Of the radial part; the tangential one moves it little."""
        # It may be a pole, so the table ends a hair before.
        angles = np.linspace(0, min((1 - 1e-9) * np.arctan(self._fold), _FARTHEST), _NODES)
        self._nodes = np.tan(angles)
        factor, slope = self._factor(self._nodes**2)
        self._bent_nodes = self._nodes * factor
        # What the tangential part takes at most from the growth along and across the radius.
        growth = (
            np.minimum(factor, factor + 2 * self._nodes**2 * slope) - 6 * abs(self._tangential) * self._nodes
        )
        self._surely_grows = self._nodes[np.argmax(growth <= 0) - 1] if (growth <= 0).any() else self._fold
        shift = 3 * abs(self._tangential) * self._fold**2 if self._tangential else 0.0
        self._reach = self._bent_nodes[-1] + shift if self._fold < np.inf else np.inf

    @_QUIET
    def distort(self, points_camera: Array) -> Array:
        z = _complex_from(_on_plane(points_camera))
        self._forget_beyond_fold(z)
        return _pairs_from(self._bend(z)[0])

    @_QUIET
    def undistort(self, bent: Array) -> Array:
        """By Newton's method in the plane, all places side by side."""
        goal = _complex_from(bent)
        radius = np.abs(goal)
        z = goal * (np.interp(radius, self._bent_nodes, self._nodes) / np.maximum(radius, 1e-300))
        missed = np.ones(len(z), dtype=bool)
        todo = np.flatnonzero(radius < self._reach)
        for _ in range(_MAX_STEPS):
            if len(todo) == 0:
                break
            now = z[todo]
            image, along, across = self._bend(now)
            misfit = image - goal[todo]
            close = np.abs(misfit) <= _EXACT * (1 + radius[todo])
            missed[todo[close]] = False
            step = (across * misfit.conj() - along * misfit) / _determinant(along, across)
            z[todo] = self._inside(now, now + step)
            todo = todo[~close]
        z[missed] = _NOWHERE
        self._forget_beyond_fold(z)
        return _pairs_from(z)

    def _inside(self, now: _Complex, new: _Complex) -> _Complex:
        """At most half the way to the fold, beyond which another ray leads to the same place."""
        if self._fold == np.inf:
            return new
        shrink = 0.5 * (np.abs(now) + self._fold) / np.maximum(np.abs(new), 1e-300)
        return new * np.minimum(shrink, 1)

    def _forget_beyond_fold(self, z: _Complex) -> None:
        """Make NaN of what is there."""
        radius = np.abs(z)
        doubtful = np.flatnonzero(~(radius < self._surely_grows))
        if len(doubtful):
            _, along, across = self._bend(z[doubtful])
            grows = (radius[doubtful] < self._fold) & (_determinant(along, across) > 0)
            z[doubtful[~grows]] = _NOWHERE

    def _bend(self, z: _Complex) -> tuple[_Complex, Array, _Complex]:
        """f(z), and its derivatives by z, which is real, and by the conjugate of z."""
        squared = z.real**2 + z.imag**2
        factor, slope = self._factor(squared)
        image, along, across = z * factor, factor + slope * squared, slope * z * z
        if q := self._tangential:
            image = image + q.conjugate() * z * z + 2 * q * squared
            along = along + 4 * (q.conjugate() * z).real
            across = across + 2 * q * z
        return image, along, across

    def _factor(self, squared: Array) -> tuple[Array, Array]:
        """g(s) and its derivative."""
        above, slope = _polynomial(self._above, squared)
        if len(self._below) == 1:
            return above, slope
        below, slope_below = _polynomial(self._below, squared)
        factor = above / below
        return factor, (slope - factor * slope_below) / below


class Fisheye:
    """The angle from the axis, not its tangent, is bent: theta (1 + k1 theta^2 + k2 theta^4 + ...)."""

    def __init__(self, coefficients: tuple[float, ...]) -> None:
        """Args: coefficients: k1 k2 k3 k4."""
        self._series = _trimmed(1, *coefficients)
        # The plane z = 1, on which poses are sought, ends at 90 degrees.
        self._fold = min(_growing_up_to(self._series, (1,)), np.pi / 2)
        self._nodes = np.linspace(0, self._fold, _NODES)
        self._bent_nodes = self._bend(self._nodes)[0]

    @_QUIET
    def distort(self, points_camera: Array) -> Array:
        x, y, z = points_camera.T
        radius = np.hypot(x, y)
        theta = np.arctan2(radius, z)
        scale: Array = np.where(radius > 1e-12 * z, self._bend(theta)[0] / radius, 1 / z)
        scale[~((z > 0) & (theta < self._fold))] = np.nan
        return points_camera[:, :2] * scale[:, None]

    @_QUIET
    def undistort(self, bent: Array) -> Array:
        """By Newton's method in the angle, all places side by side."""
        radius: Array = np.hypot(*bent.T)
        theta = np.interp(radius, self._bent_nodes, self._nodes)
        for _ in range(_MAX_STEPS):
            value, slope = self._bend(theta)
            misfit = value - radius
            if not (np.abs(misfit) > _EXACT)[radius < self._bent_nodes[-1]].any():
                break
            theta = np.clip(theta - misfit / np.maximum(slope, 1e-12), 0, self._fold)
        scale = np.where(radius > 1e-12, np.tan(theta) / radius, 1.0)
        scale[~(radius < self._bent_nodes[-1])] = np.nan
        return bent * scale[:, None]

    def _bend(self, theta: Array) -> tuple[Array, Array]:
        """Of angles (N,), and how it grows."""
        squared = theta * theta
        factor, slope = _polynomial(self._series, squared)
        return theta * factor, factor + 2 * squared * slope


_LENSES: dict[str, Callable[[tuple[float, ...]], Lens]] = {
    "pinhole": lambda _: Pinhole(),
    "brown": Brown,
    "fisheye": Fisheye,
}


@functools.lru_cache(maxsize=64)
def lens_of(model: str, coefficients: tuple[float, ...]) -> Lens:
    """The lens of a camera model and its coefficients; it is set up once, however many cameras share it."""
    return _LENSES[model](coefficients)


def _growing_up_to(above: tuple[float, ...], below: tuple[float, ...]) -> float:
    """Where r above(r^2) / below(r^2) stops growing or has a pole; infinity if it never does.

    Args:
        above: coefficients of a polynomial, the constant first; likewise `below`.
    """
    numerator, denominator, s = Polynomial(above), Polynomial(below), Polynomial([0, 1])
    # Its derivative by r, up to a factor that is never negative.
    slope = (numerator + 2 * s * numerator.deriv()) * denominator - 2 * s * numerator * denominator.deriv()
    roots = np.concatenate([slope.trim().roots(), denominator.trim().roots()])
    real = roots.real[(np.abs(roots.imag) < 1e-9 * np.abs(roots)) & (roots.real > 0)]
    return float(np.sqrt(real.min(initial=np.inf)))


def _trimmed(*coefficients: float) -> tuple[float, ...]:
    """Without those at the end that bend nothing: they cost time, and tiny ones the fold's exactness."""
    return coefficients[: 1 + max(np.flatnonzero(np.abs(coefficients) > _NOTHING))]


def _polynomial(coefficients: tuple[float, ...], x: Array) -> tuple[Array, Array]:
    """A polynomial, the constant first, and its derivative, by Horner's rule."""
    *lower, highest = coefficients
    value, slope = np.full_like(x, highest), np.zeros_like(x)
    for coefficient in reversed(lower):
        slope = slope * x + value
        value = value * x + coefficient
    return value, slope


def _determinant(along: Array, across: _Complex) -> Array:
    return along**2 - across.real**2 - across.imag**2


def _on_plane(points_camera: Array) -> Array:
    """Points (N, 3) in the camera frame on the plane z = 1 (N, 2); NaN for those not in front of the camera."""
    depth = np.where(points_camera[:, 2] > 0, points_camera[:, 2], np.nan)
    return points_camera[:, :2] / depth[:, None]


def _complex_from(pairs: Array) -> _Complex:
    """(N, 2) to (N,); a copy."""
    return pairs[:, 0] + 1j * pairs[:, 1]


def _pairs_from(values: _Complex) -> Array:
    return np.column_stack([values.real, values.imag])
