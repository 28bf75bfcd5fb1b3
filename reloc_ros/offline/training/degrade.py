"""What lies between the scene and the network's input: something in the way, light, optics, sensor, compression.

The ranges hold, with room on either side, what a robot's camera meets and what the localizer is measured under:
brightness x0.15, gamma 2.5, Gaussian blur of sigma 5 px and motion blur of 15 px at 1280 px width, noise of sigma 0.1,
JPEG quality 20, half the camera's resolution and 40 % of the picture covered. One view is rarely hit by all of them:
where nothing can be recognised any more, nothing can be learned but to guess.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from reloc_ros.offline.measuring.conditions import line_kernel

Image = NDArray[np.uint8]

COVER_SHARE = (0.2, 0.5)
"""Of the picture, under one large cover."""
LARGE_COVER_CHANCE = 0.25
GAMMA = (0.4, 2.8)
MID_TONE = (0.1, 1.4)
"""Brightness of a mid-grey beside what it was: the darkest leaves it a tenth."""
BLUR_SHARE = (0.4 / 512, 3.0 / 512)
"""Sigma as a share of the width."""
MOTION_SHARE = (2.0 / 512, 10.0 / 512)
"""Length of the smear as a share of the width."""
RESOLUTION = (0.4, 0.9)
"""Of a camera that has fewer pixels than the network takes."""
SENSOR_SIGMA = (2.0, 34.0)
"""Of the noise on the camera's own pixels, grey levels."""
SENSOR_PIXELS = (1.0, 3.0)
"""Camera pixels per network pixel along a side; their mean has that much less noise."""
JPEG_QUALITY = (15, 70)


def cover(image: Image, max_boxes: int, rng: np.random.Generator) -> tuple[Image, NDArray[np.bool_]]:
    """Put one large thing or up to `max_boxes` smaller ones in the way, in place; returns where, too, (H, W)."""
    covered = np.zeros(image.shape[:2], dtype=bool)
    if max_boxes and rng.random() < LARGE_COVER_CHANCE:
        windows = [_large_window(image.shape[1], image.shape[0], rng)]
    else:
        count = int(rng.integers(0, max_boxes + 1))
        windows = [_small_window(image.shape[1], image.shape[0], rng) for _ in range(count)]
    before = image.copy() if windows else image
    for window in windows:
        image[window] = _surface(before, window, rng)
        covered[window] = True
    return image, covered


def _large_window(width: int, height: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Wholly inside, so that its share of the picture is what was drawn."""
    share, aspect = rng.uniform(*COVER_SHARE), np.exp(rng.uniform(-0.7, 0.7))
    w = min(width, round(width * math.sqrt(share * aspect)))
    h = min(height, round(share * width * height / w))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    return np.s_[y : y + h, x : x + w]


def _small_window(width: int, height: int, rng: np.random.Generator) -> tuple[slice, slice]:
    w, h = (rng.uniform(0.05, 0.4, 2) * (width, height)).astype(int)
    x, y = int(rng.integers(-w // 2, width - w // 2)), int(rng.integers(-h // 2, height - h // 2))
    return np.s_[max(y, 0) : y + h, max(x, 0) : x + w]


def _surface(image: Image, window: tuple[slice, slice], rng: np.random.Generator) -> Image:
    """A plain thing, a smoothly coloured one, or one with texture: another part of the picture, upside down."""
    kind = rng.random()
    if kind < 0.4:
        return rng.integers(0, 256, 3).astype(np.uint8)
    height, width = image[window].shape[:2]
    if kind < 0.6 and width and height:
        return cv2.resize(rng.integers(0, 256, (3, 4, 3)).astype(np.uint8), (width, height))
    return image[::-1, ::-1][window].copy()


def relight(image: Image, rng: np.random.Generator) -> tuple[Image, float]:
    """Gain, gamma and white balance through one lookup table per channel; and the brightness of a mid-grey."""
    gamma = math.exp(rng.uniform(*np.log(GAMMA)))
    # Even in the logarithm, and more of the bright: an eighth lies below a fifth.
    dark, bright = np.log(MID_TONE)
    brightness = math.exp(dark + (bright - dark) * rng.random() ** (2 / 3))
    # A mid-grey keeps at least the darkest brightness whatever the gamma, and highlights are not burnt by both.
    gain = min(brightness * 2 ** (gamma - 1), MID_TONE[1])
    brightness = gain * 2 ** (1 - gamma)
    balance = np.exp(rng.normal(0, 0.12, 3))
    ramp = (np.arange(256) / 255.0) ** gamma
    offset = rng.normal(0, 6) * min(1.0, brightness)
    table = np.clip(255.0 * ramp[:, None] * gain * balance + offset, 0, 255).astype(np.uint8)
    return cv2.LUT(image, table.reshape(1, 256, 3)), brightness


def shade(image: Image, rng: np.random.Generator) -> Image:
    """Light that falls unevenly: a shadow, a lamp, a lens darker towards its corners."""
    coarse = rng.integers(90, 256, (3, 4, 1)).astype(np.uint8).repeat(3, axis=2)
    light = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(image, light, scale=1 / 230)


def degrade(image: Image, brightness: float, rng: np.random.Generator) -> Image:
    """Optics, then the sensor, then compression, each in a part of the views."""
    width, optics = image.shape[1], rng.random()
    if optics < 0.22:
        image = cv2.GaussianBlur(image, (0, 0), width * rng.uniform(*BLUR_SHARE))
    elif optics < 0.42:
        smear = line_kernel(width * rng.uniform(*MOTION_SHARE), rng.uniform(0, np.pi))
        image = cv2.filter2D(image, -1, smear)
    elif optics < 0.55:
        image = _lower_resolution(image, rng.uniform(*RESOLUTION))
    if rng.random() < 0.45:
        # In the dark the same noise would leave nothing to see.
        sigma = rng.uniform(SENSOR_SIGMA[0], max(SENSOR_SIGMA[1] * min(1.0, 2 * brightness), SENSOR_SIGMA[0]))
        image = add_sensor_noise(image, sigma, rng.uniform(*SENSOR_PIXELS), rng)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*JPEG_QUALITY))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image


def add_sensor_noise(image: Image, sigma: float, pixels: float, rng: np.random.Generator) -> Image:
    """Noise of `sigma` on a sensor with `pixels` times the pixels along each side, resized to this image.

    A sensor clips its noise at black and white, so the mean of its pixels is brighter than black: the table. What is
    left of the noise in that mean is added.
    """
    table = np.rint(_clipped_mean(np.arange(256.0), sigma)).astype(np.uint8)
    noise = np.empty(image.shape, dtype=np.int16)
    cv2.setRNGSeed(int(rng.integers(0, 2**31 - 1)))
    # A plain number would mean the first colour alone.
    cv2.randn(noise, (0.0, 0.0, 0.0), (sigma / pixels,) * 3)
    return cv2.add(cv2.LUT(image, table), noise, dtype=cv2.CV_8U)


def _clipped_mean(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Mean of a normal variable around each value, clipped to [0, 255]."""

    def above(limit: float) -> NDArray[np.float64]:
        """Mean of max(x - limit, 0)."""
        z = (values - limit) / sigma
        density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        return sigma * (density + z * ndtr(z))

    return above(0.0) - above(255.0)


def _lower_resolution(image: Image, share: float) -> Image:
    """As a camera of fewer pixels sees it."""
    height, width = image.shape[:2]
    small = (max(1, round(share * width)), max(1, round(share * height)))
    return cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (width, height))
