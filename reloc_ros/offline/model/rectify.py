"""A photograph without its lens's distortion, for programs that know pinhole cameras alone."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera

Array = NDArray[np.float64]

MAX_STRETCH = 1.5
"""The picture reaches so much farther than without distortion at most: what a fisheye sees beyond is left out."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rectified:
    """A picture on the plane z = 1 of its camera."""

    picture: NDArray[np.uint8]
    """(H, W, 3)"""
    low: Array
    """(2,) x and y on that plane of its top-left corner."""
    high: Array
    """(2,) of its bottom-right corner."""


def rectified(photo: NDArray[np.uint8], camera: Camera) -> Rectified:
    """All that a photograph (H, W, 3) shows, as a pinhole camera of the same focal lengths would; black beyond it."""
    focal = np.array([camera.fx, camera.fy])
    low, high = _extent(camera, focal)
    width, height = np.maximum(np.rint((high - low) * focal).astype(int), 1)
    high = low + (width, height) / focal
    x = low[0] + (np.arange(width) + 0.5) / camera.fx
    y = low[1] + (np.arange(height) + 0.5) / camera.fy
    rays = np.stack([*np.meshgrid(x, y), np.ones((height, width))], axis=-1)
    pixels = camera.project(rays.reshape(-1, 3)).astype(np.float32).reshape(height, width, 2)
    pixels[np.isnan(pixels)] = -1e4
    return Rectified(cv2.remap(photo, pixels, None, cv2.INTER_LINEAR), low, high)


def _extent(camera: Camera, focal: Array) -> tuple[Array, Array]:
    """The box on the plane z = 1 that holds the picture, edges of pixels included."""
    center = np.array([camera.cx, camera.cy])
    plain_low = (-0.5 - center) / focal
    plain_high = (np.array([camera.width, camera.height]) - 0.5 - center) / focal
    x, y = np.linspace(-0.5, camera.width - 0.5, 50), np.linspace(-0.5, camera.height - 0.5, 50)
    sides = [np.column_stack([x, np.full(50, row)]) for row in (-0.5, camera.height - 0.5)]
    sides += [np.column_stack([np.full(50, column), y]) for column in (-0.5, camera.width - 0.5)]
    rays = camera.unproject(np.concatenate(sides))
    if not np.isfinite(rays).all():  # the border shows what is beside or behind, or nothing
        return MAX_STRETCH * plain_low, MAX_STRETCH * plain_high
    return (
        np.maximum(rays.min(axis=0), MAX_STRETCH * plain_low),
        np.minimum(rays.max(axis=0), MAX_STRETCH * plain_high),
    )
