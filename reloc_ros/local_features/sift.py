"""SIFT, RootSIFT descriptors, as OpenCV finds them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FEATURES = 4000
CONTRAST_THRESHOLD = 0.02
"""COLMAP's own limit for the difference of Gaussians, as OpenCV counts it; OpenCV's default is twice that."""
STRETCHED_PERCENT = (1.0, 99.0)
"""Grey levels that are brought to black and white: the threshold is absolute, and a dark image would fall below it."""
SIZE = 128
"""Numbers of a descriptor."""
DESCRIPTOR_SCALE = 512
"""Of the numbers of a descriptor, which are then whole ones of a byte, as COLMAP keeps them."""


class Sift:
    """Finds features, see `matching.Features`."""

    name = "SIFT"
    max_ratio = 0.8
    reach_px = 1.5

    def __init__(self, side: float = np.inf) -> None:
        self.side = side
        # Without precise upscaling, OpenCV's keypoints are off by a quarter of a pixel towards the bottom right.
        self._sift = cv2.SIFT_create(  # type: ignore[attr-defined]  # its stubs leave that out
            nfeatures=FEATURES, contrastThreshold=CONTRAST_THRESHOLD, enable_precise_upscale=True
        )

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Keypoints (N, 2) px and their RootSIFT descriptors (N, 128), see Arandjelovic and Zisserman (CVPR 2012)."""
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        keypoints, descriptors = self._sift.detectAndCompute(_stretch(np.asarray(grey, np.uint8)), None)
        if descriptors is None:
            return np.zeros((0, 2)), np.zeros((0, SIZE), dtype=np.uint8)
        descriptors /= np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-12)
        in_bytes = np.rint(DESCRIPTOR_SCALE * np.sqrt(descriptors)).clip(0, 255).astype(np.uint8)
        return np.array([keypoint.pt for keypoint in keypoints], dtype=np.float64), in_bytes


def _stretch(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    low, high = np.percentile(grey[::4, ::4], STRETCHED_PERCENT)
    levels = 255 * (np.arange(256) - low) / max(high - low, 1)
    return np.asarray(cv2.LUT(grey, np.clip(np.rint(levels), 0, 255).astype(np.uint8)), np.uint8)
