"""Fit an image into the network's input without changing its aspect, and carry keypoints back."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

GREY = 114
"""Value of the bars around an image of another aspect."""


@dataclasses.dataclass(frozen=True)
class Letterbox:
    """A resize of source images to at most the network's input, centred in it."""

    source_width: int
    source_height: int
    width: int
    """Network input width, pixels."""
    height: int
    """Network input height, pixels."""

    @property
    def inner_size(self) -> tuple[int, int]:
        """(width, height) of the resized image inside the input, pixels."""
        scale = min(self.width / self.source_width, self.height / self.source_height)
        inner_width = min(self.width, max(1, round(self.source_width * scale)))
        return inner_width, min(self.height, max(1, round(self.source_height * scale)))

    @property
    def offset(self) -> tuple[int, int]:
        """(x, y) of the inner image's top-left pixel in the input."""
        inner_width, inner_height = self.inner_size
        return (self.width - inner_width) // 2, (self.height - inner_height) // 2

    @property
    def source_per_network(self) -> tuple[float, float]:
        """Source pixels per network pixel, (x, y)."""
        inner_width, inner_height = self.inner_size
        return self.source_width / inner_width, self.source_height / inner_height

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize a source image (H, W, 3) or (H, W) to the input (height, width, 3)."""
        inner_width, inner_height = self.inner_size
        shrinks = inner_width < self.source_width
        # INTER_AREA averages what it drops; training images are made the same way.
        flag = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        inner = (
            image
            if (inner_width, inner_height) == image.shape[1::-1]
            else cv2.resize(image, (inner_width, inner_height), interpolation=flag)
        )
        if inner.ndim == 2:
            inner = cv2.cvtColor(inner, cv2.COLOR_GRAY2BGR)
        if (inner_width, inner_height) == (self.width, self.height):
            return np.ascontiguousarray(inner)
        x, y = self.offset
        framed = np.full((self.height, self.width, 3), GREY, dtype=np.uint8)
        framed[y : y + inner_height, x : x + inner_width] = inner
        return framed

    def to_source(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Carry (N, 2) network pixels back to source pixels; pixel edges scale, as in `Camera.resized`."""
        pixels = np.asarray(pixels, dtype=np.float64)
        return (pixels - self.offset + 0.5) * self.source_per_network - 0.5
