"""What light, weather, motion and cheap cameras do to an image: the same for every method that is compared."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError

Image = NDArray[np.uint8]
Condition = Callable[[Image, Camera], tuple[Image, Camera]]
"""An image, (H, W, 3) or (H, W), and its camera, as another camera or another hour would have given them."""

REFERENCE_WIDTH = 1280
"""Lengths in pixels are those in an image of this width, and shrink and grow with it."""
BLUR_SIGMA_PX = 5.0
MOTION_PX = 15.0
NOISE_SIGMA = 0.1
JPEG_QUALITY = 20
COVERED_SHARE = 0.4


def of_image(change: Callable[[Image], Image]) -> Condition:
    """A condition that leaves the camera as it is."""
    return lambda image, camera: (change(image), camera)


def brightness(factor: float) -> Condition:
    return _lookup(factor * np.arange(256.0))


def gamma(exponent: float) -> Condition:
    return _lookup(255 * (np.arange(256) / 255) ** exponent)


def _lookup(values: NDArray[np.float64]) -> Condition:
    table = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return of_image(lambda image: cv2.LUT(image, table))


def blur(image: Image) -> Image:
    """As a lens out of focus."""
    return cv2.GaussianBlur(image, (0, 0), BLUR_SIGMA_PX * _scale(image))


def motion_blur(image: Image) -> Image:
    """As a camera that turned during the exposure; which way depends on the image."""
    angle = np.random.default_rng(_seed(image)).uniform(0, np.pi)
    return cv2.filter2D(image, -1, line_kernel(MOTION_PX * _scale(image), angle))


def line_kernel(length_px: float, angle: float) -> NDArray[np.float64]:
    """A line through the middle of a square kernel, its weight spread over the pixels around it; the sum is 1."""
    steps = np.arange(int(np.ceil(20 * length_px)))
    along = ((steps + 0.5) / len(steps) - 0.5) * length_px
    radius = int(np.ceil(length_px / 2)) + 1
    x, y = radius + along * np.cos(angle), radius + along * np.sin(angle)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    kernel = np.zeros((2 * radius + 2, 2 * radius + 2))
    for right in (0, 1):
        for below in (0, 1):
            weights = np.abs(1 - right - (x - column)) * np.abs(1 - below - (y - row))
            np.add.at(kernel, (row + below, column + right), weights / len(steps))
    return kernel[:-1, :-1]


def noise(image: Image) -> Image:
    added = np.random.default_rng(0).normal(0, 255 * NOISE_SIGMA, image.shape)
    return np.clip(np.rint(image + added), 0, 255).astype(np.uint8)


def jpeg(image: Image) -> Image:
    written, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not written:
        raise RelocError(f"OpenCV cannot write an image of shape {image.shape} as JPEG")
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def cover(image: Image) -> Image:
    """Put boxes of one colour each before the picture until they hide `COVERED_SHARE` of it; where depends on it."""
    rng = np.random.default_rng(_seed(image))
    height, width = image.shape[:2]
    hidden = np.zeros((height, width), dtype=bool)
    covered = image.copy()
    missing = round(COVERED_SHARE * hidden.size)
    while missing > 0:
        box_width = int(rng.uniform(0.15, 0.4) * width)
        # No higher than what is missing, so that the share is met, and not just exceeded.
        box_height = int(np.clip(rng.uniform(0.15, 0.4) * height, 1, np.ceil(missing / box_width)))
        x, y = rng.integers(0, width - box_width + 1), rng.integers(0, height - box_height + 1)
        box = np.s_[y : y + box_height, x : x + box_width]
        covered[box] = rng.integers(0, 256, image.shape[2:])
        missing -= np.count_nonzero(~hidden[box])
        hidden[box] = True
    return covered


def resolution(factor: float) -> Condition:
    """The same picture from a sensor with `factor` times the pixels along each side."""

    def resize(image: Image, camera: Camera) -> tuple[Image, Camera]:
        size = max(1, round(factor * image.shape[1])), max(1, round(factor * image.shape[0]))
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        return cv2.resize(image, size, interpolation=how), camera.resized(*size)

    return resize


def _scale(image: Image) -> float:
    return image.shape[1] / REFERENCE_WIDTH


def _seed(image: Image) -> int:
    """A number that is the image's own, so that each image meets chance of its own, and the same in every run."""
    return zlib.crc32(np.ascontiguousarray(image).data)


_TABLE: dict[str, tuple[str, Condition]] = {
    "clean": ("as taken", of_image(lambda image: image)),
    "dark": ("brightness x0.3", brightness(0.3)),
    "darker": ("brightness x0.15", brightness(0.15)),
    "gamma": ("gamma 2.5", gamma(2.5)),
    "blur": (f"Gaussian blur, sigma {BLUR_SIGMA_PX:g} px", of_image(blur)),
    "motion": (f"motion blur, {MOTION_PX:g} px", of_image(motion_blur)),
    "noise": (f"noise, sigma {NOISE_SIGMA:g}", of_image(noise)),
    "jpeg": (f"JPEG quality {JPEG_QUALITY}", of_image(jpeg)),
    "covered": (f"{100 * COVERED_SHARE:.0f} % covered", of_image(cover)),
    "half": ("half resolution", resolution(0.5)),
    "double": ("double resolution", resolution(2.0)),
}
"""What each is, for people, and what it does. Pixels are those of an image 1280 wide."""
CONDITIONS = {name: change for name, (_, change) in _TABLE.items()}
DESCRIPTIONS = {name: words for name, (words, _) in _TABLE.items()}
ALL = "all"


def describe(condition: str) -> str:
    """What a condition is, for people; its own name where it is of another version."""
    return DESCRIPTIONS.get(condition, condition)


def parse_conditions(text: str) -> list[str]:
    """The conditions in a comma-separated list of names, or in `all`."""
    wanted = [name for name in map(str.strip, text.split(",")) if name]
    return list(CONDITIONS) if wanted == [ALL] else wanted
