"""Which of some points a person means who clicks at a picture of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BEHIND = 0.2
"""A point as far behind another, relative to their depth, is as good a guess as one at the edge of the tolerance."""


def pick(
    origin: ArrayLike, direction: ArrayLike, points: NDArray[np.float64], tolerance_rad: float
) -> int | None:
    """The row of `points` (N, 3) that a ray means: one near to it by angle, and in front rather than behind.

    Args:
        origin: (3,) where the eye is.
        direction: (3,) of any length, where the click points.
        tolerance_rad: points farther from the ray than this are not meant.
    """
    ray = np.asarray(direction, dtype=np.float64)
    ray = ray / np.linalg.norm(ray)
    offsets = points - np.asarray(origin, dtype=np.float64)
    depths = offsets @ ray
    angles = np.arctan2(np.linalg.norm(offsets - depths[:, None] * ray, axis=1), depths)
    near = np.flatnonzero((angles <= tolerance_rad) & (depths > 0))
    if len(near) == 0:
        return None
    behind = np.log(depths[near] / depths[near].min()) / BEHIND
    return int(near[np.argmin(angles[near] / tolerance_rad + behind)])
