"""Which part of a camera's picture is the robot itself, so that nothing there is taken for the place."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.picture_head import refuse_huge

SAME_ASPECT = 0.02
"""Shares by which the aspects of mask and image may differ; rounding when a camera bins is less."""


@dataclasses.dataclass(frozen=True, eq=False)
class ImageMask:
    """Of the images as they are received, distortion included."""

    used: NDArray[np.bool_]
    """(H, W) False where the picture is not to be used."""

    @staticmethod
    def load(path: str | Path) -> ImageMask:
        """Read a picture that is black where the robot is, as COLMAP's masks are, and anything else elsewhere.

        Raises:
            RelocError: it is no picture, or leaves nothing.
        """
        try:
            data = Path(path).expanduser().read_bytes()
        except OSError as error:
            raise RelocError(f"image_mask {path} cannot be read: {error.strerror}") from error
        refuse_huge(data, f"image_mask {path}")
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if len(data) else None
        except cv2.error:
            pixels = None
        if pixels is None:
            raise RelocError(f"image_mask {path} is no picture; give a PNG that is black where the robot is")
        if not pixels.any():
            raise RelocError(f"image_mask {path} is black all over, which leaves nothing to see")
        return ImageMask(pixels > 0)

    def problem_with(self, width: int, height: int) -> str:
        """Why the mask is none of images of that size, as a sentence; empty where it is."""
        rows, columns = self.used.shape
        if abs(columns * height / (rows * width) - 1) <= SAME_ASPECT:
            return ""
        return f"image_mask is {columns}x{rows}, but the image is {width}x{height}, which has another shape"

    def allows(self, positions_px: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
        """(N,) whether positions (N, 2) in an image of that size may be used."""
        rows, columns = self.used.shape
        # Pixel centres are at integers, so the image begins at -0.5.
        scaled = (positions_px + 0.5) * [columns / width, rows / height]
        column, row = np.clip(np.floor(scaled).astype(int), 0, [columns - 1, rows - 1]).T
        allowed: NDArray[np.bool_] = self.used[row, column]
        return allowed
