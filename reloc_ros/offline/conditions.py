"""What light, weather and cheap optics do to an image: the same for every method that is compared."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def _lut(values: NDArray[np.float64]) -> Callable[[Image], Image]:
    table = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return lambda image: cv2.LUT(image, table)


def _blur(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 5.0 * image.shape[1] / 1280)


def _noise(image: Image) -> Image:
    noise = np.random.default_rng(0).normal(0, 25.5, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


_LEVELS = np.arange(256, dtype=np.float64)

CONDITIONS: dict[str, Callable[[Image], Image]] = {
    "clean": lambda image: image,
    "dark": _lut(0.3 * _LEVELS),
    "gamma": _lut(255 * (_LEVELS / 255) ** 2.5),
    "blur": _blur,
    "noise": _noise,
}
"""`dark`: brightness x0.3. `gamma`: exponent 2.5. `blur`: Gaussian, sigma 5 px at 1280 px width. `noise`: sigma 0.1."""
