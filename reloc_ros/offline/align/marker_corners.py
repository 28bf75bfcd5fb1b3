"""The corners of a square marker to a few hundredths of a pixel, by its edges.

A corner of a black square, unlike one of a chessboard, moves inwards as the picture blurs, and gradient methods for
corners with it: by 0.2 px, a percent of a small marker. Its edges stay where they are.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ALONG = np.linspace(0.15, 0.85, 25)
"""Places along an edge where its position is measured: away from the rounded corners."""
_REACH_SHARE = 1 / 16
"""Half the length of a profile across the edge, as a share of the edge: half a module of a marker of eight."""
_REACH_RANGE_PX = (1.5, 5.0)
_STEP_PX = 0.25
_MAX_MOVE_PX = 2.0
"""Corners that would move farther were better as they were found."""


def refine_corners(grey: NDArray[np.uint8], corners_px: Array) -> Array:
    """(4, 2) corners where lines through the edges meet; as they were, where the edges are not clear.

    Args:
        grey: (H, W).
        corners_px: (4, 2) in order around the black square, within a pixel or two.
    """
    lines = [_edge(grey, corners_px[k], corners_px[(k + 1) % 4]) for k in range(4)]
    if any(line is None for line in lines):
        return corners_px
    refined = corners_px.copy()
    for k in range(4):
        meeting = np.cross(lines[k - 1], lines[k])  # homogeneous lines and points
        if abs(meeting[2]) > 1e-6:
            refined[k] = meeting[:2] / meeting[2]
    moved = np.linalg.norm(refined - corners_px, axis=1)
    return refined if (moved <= _MAX_MOVE_PX).all() else corners_px


def _edge(grey: NDArray[np.uint8], start: Array, end: Array) -> Array | None:
    """(3,) the homogeneous line through the steepest places of profiles across an edge."""
    length = float(np.linalg.norm(end - start))
    reach = float(np.clip(_REACH_SHARE * length, *_REACH_RANGE_PX))
    if length < 8:
        return None
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    offsets = np.arange(-reach, reach + _STEP_PX / 2, _STEP_PX)
    places = start + _ALONG[:, None, None] * (end - start) + offsets[None, :, None] * across
    profiles = cv2.remap(
        grey,
        *np.moveaxis(places.astype(np.float32), 2, 0).copy(),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float64)
    steps = np.abs(np.diff(profiles, axis=1))
    strength = steps.sum(axis=1)
    clear = strength > 0.5 * np.median(strength)
    if clear.sum() < len(_ALONG) // 2 or np.median(strength) < 15:
        return None
    middles = (offsets[1:] + offsets[:-1]) / 2
    found = (steps**2 @ middles / np.maximum((steps**2).sum(axis=1), 1e-9))[clear]
    points = (start + _ALONG[:, None] * (end - start))[clear] + found[:, None] * across
    vx, vy, x, y = (
        cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 1e-4, 1e-4).ravel().astype(np.float64)
    )
    return np.array([-vy, vx, vy * x - vx * y])
