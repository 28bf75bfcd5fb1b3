"""How large a scene is, and how far cameras are from it: rulers that outliers do not bend."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FINEST_SHARE = 1e-5
"""Of a scene's extent: a tenth of a millimetre in a hall of 20 m, which 1 km from the origin is reached."""


def extent(points: NDArray[np.float64]) -> float:
    """Median distance of points (N, 3) from their median point."""
    return median_distance(np.median(points, axis=0), points)


def median_distance(centers: ArrayLike, points: NDArray[np.float64]) -> float:
    """Median, over camera centres (C, 3) or of one (3,), of the median distance from there to points (N, 3)."""
    distances = [np.median(np.linalg.norm(points - center, axis=1)) for center in np.atleast_2d(centers)]
    return float(np.median(distances))


def fits_single_precision(points: NDArray[np.float64]) -> bool:
    """Whether single precision rounds coordinates of points (N, 3) by nothing that shows beside their extent."""
    return len(points) == 0 or single_precision_step(points) <= FINEST_SHARE * extent(points)


def local_origin(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) about which points (N, 3) can be shown in single precision: zero where that holds them as they are."""
    return np.zeros(3) if fits_single_precision(points) else np.rint(np.median(points, axis=0))


def single_precision_step(points: NDArray[np.float64]) -> float:
    """What coordinates of points (N, 3) are rounded to at worst in single precision, in their unit."""
    return float(np.spacing(np.float32(np.abs(points).max(initial=0.0))))
