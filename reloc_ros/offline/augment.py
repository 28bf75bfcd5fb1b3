"""Random views of a map image: other viewpoints, light, weather and occlusion, with the landmarks moved along."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.label import Visibility

BASE_SCALE = 1.5
"""Map images are kept this much larger than the network's input, so that zooming in stays sharp."""


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """How far a view may be from the photograph it is made of."""

    max_rotation_deg: float = 30.0
    min_scale: float = 0.6
    max_scale: float = 1.6
    max_tilt: float = 0.25
    """Change of scale across the image from perspective."""
    max_shift: float = 0.2
    """Share of the image."""
    max_boxes: int = 4
    clean_share: float = 0.15
    """Share of the views whose colours are left alone."""


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """One training example."""

    image: NDArray[np.uint8]
    """(H, W, 3) BGR at the network's input size."""
    keypoints_px: NDArray[np.float32]
    """(K, 2) network pixels; NaN where unknown."""
    visibility: NDArray[np.int8]
    """(K,) of `Visibility`."""


def make_view(
    base: NDArray[np.uint8],
    keypoints_px: NDArray[np.float32],
    visibility: NDArray[np.int8],
    size: tuple[int, int],
    config: AugmentConfig,
    rng: np.random.Generator,
) -> View:
    """A random view of `size` (width, height) from a base image and its labels in the base image's pixels."""
    view_from_base = _random_homography(base.shape[1], base.shape[0], size, config, rng)
    view = warp_view(base, keypoints_px, visibility, size, view_from_base, border=int(rng.integers(0, 256)))
    image, covered = _occlude(view.image, config, rng)
    if rng.random() >= config.clean_share:
        image = _degrade(_relight(image, rng), rng)
    return dataclasses.replace(view, image=image, visibility=_hide(view, covered))


def warp_view(
    base: NDArray[np.uint8],
    keypoints_px: NDArray[np.float32],
    visibility: NDArray[np.int8],
    size: tuple[int, int],
    view_from_base: NDArray[np.float64],
    border: int = 0,
) -> View:
    """The view through a homography (3, 3) between pixel coordinates; what leaves the frame becomes HIDDEN."""
    image = cv2.warpPerspective(base, view_from_base, size, flags=cv2.INTER_LINEAR, borderValue=(border,) * 3)
    homogeneous = np.column_stack([keypoints_px, np.ones(len(keypoints_px))]) @ view_from_base.T
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = (homogeneous[:, :2] / homogeneous[:, 2:]).astype(np.float32)
    x, y = moved.T
    inside = (x >= 0) & (x <= size[0] - 1) & (y >= 0) & (y <= size[1] - 1)
    return View(image, moved, np.where(inside, visibility, Visibility.HIDDEN).astype(np.int8))


def base_from_image(width: int, height: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """(3, 3) homography from image pixels to base-image pixels, for the base size `base_size` gives."""
    base_width, base_height = base_size(width, height, size)
    return resize_homography(base_width / width, base_height / height)


def base_size(width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Size of the base image: the network's input scaled by BASE_SCALE, never above the photograph itself."""
    scale = min(BASE_SCALE * min(size[0] / width, size[1] / height), 1.0)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize_homography(sx: float, sy: float) -> NDArray[np.float64]:
    """(3, 3) from pixels of an image to pixels of the image resized by (sx, sy), pixel centres at integers."""
    return np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1.0]])


def _random_homography(
    width: int, height: int, size: tuple[int, int], config: AugmentConfig, rng: np.random.Generator
) -> NDArray[np.float64]:
    angle = np.radians(rng.uniform(-config.max_rotation_deg, config.max_rotation_deg))
    scale = np.exp(rng.uniform(np.log(config.min_scale), np.log(config.max_scale)))
    shift = rng.uniform(-config.max_shift, config.max_shift, 2)
    tilt = rng.uniform(-config.max_tilt, config.max_tilt, 2)
    # In units where the picture is [-1, 1] wide, so the same numbers mean the same at every resolution.
    half = 0.5 * max(width, height)
    unit_from_base = np.array(
        [[1 / half, 0, -width / 2 / half], [0, 1 / half, -height / 2 / half], [0, 0, 1]]
    )
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    warp = np.array([[cos, -sin, 2 * shift[0]], [sin, cos, 2 * shift[1]], [tilt[0], tilt[1], 1]])
    half_view = 0.5 * max(size)
    view_from_unit = np.array([[half_view, 0, size[0] / 2], [0, half_view, size[1] / 2], [0, 0, 1]])
    return view_from_unit @ warp @ unit_from_base


def _occlude(
    image: NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    height, width = image.shape[:2]
    covered = np.zeros((height, width), dtype=bool)
    for _ in range(int(rng.integers(0, config.max_boxes + 1))):
        w, h = (rng.uniform(0.05, 0.4, 2) * (width, height)).astype(int)
        x, y = int(rng.integers(-w // 2, width - w // 2)), int(rng.integers(-h // 2, height - h // 2))
        window = np.s_[max(y, 0) : y + h, max(x, 0) : x + w]
        patch = image[window]
        if rng.random() < 0.5:
            patch[:] = rng.integers(0, 256, 3)
        else:  # something with texture: another part of the same picture, upside down
            source = image[::-1, ::-1][window]
            patch[:] = source.copy()
        covered[window] = True
    return image, covered


def _hide(view: View, covered: NDArray[np.bool_]) -> NDArray[np.int8]:
    visibility = view.visibility.copy()
    seen = np.flatnonzero(visibility == Visibility.SEEN)
    columns, rows = np.rint(view.keypoints_px[seen]).astype(int).T
    visibility[seen[covered[rows, columns]]] = Visibility.HIDDEN
    return visibility


def _relight(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gain, gamma and white balance through one lookup table per channel."""
    gamma = np.exp(rng.uniform(np.log(0.4), np.log(2.8)))
    gain = np.exp(rng.uniform(np.log(0.2), np.log(1.4)))
    balance = np.exp(rng.normal(0, 0.12, 3))
    ramp = (np.arange(256) / 255.0) ** gamma
    table = np.clip(255.0 * ramp[:, None] * gain * balance + rng.normal(0, 6), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table.reshape(1, 256, 3))


def _degrade(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur of the lens or of motion, noise of the sensor, and compression, each in a part of the views."""
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 3.0))
    elif rng.random() < 0.25:
        image = cv2.filter2D(image, -1, _motion_kernel(rng.uniform(2, 9), rng.uniform(0, np.pi)))
    if rng.random() < 0.5:
        noise = np.empty(image.shape, dtype=np.int16)
        cv2.setRNGSeed(int(rng.integers(0, 2**31 - 1)))
        # A plain number would mean the first colour alone.
        cv2.randn(noise, (0.0, 0.0, 0.0), (float(rng.uniform(1, 26)),) * 3)
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.2:
        _, buffer = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 60))])
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    return image


def _motion_kernel(length_px: float, angle_rad: float) -> NDArray[np.float32]:
    size = 2 * int(np.ceil(length_px / 2)) + 1
    kernel = np.zeros((size, size), dtype=np.float32)
    center = size // 2
    step = 0.5 * length_px * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    start, end = np.rint(center - step).astype(int), np.rint(center + step).astype(int)
    cv2.line(kernel, tuple(start.tolist()), tuple(end.tolist()), 1.0)
    return kernel / kernel.sum()
