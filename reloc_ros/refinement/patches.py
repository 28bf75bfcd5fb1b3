"""Small patches as the reference views show them, and the same places in the image."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.refinement.atlas import halved

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

MIN_CONTRAST = 2.0
"""Standard deviation of a patch, grey levels; smoother ones say nothing."""


@dataclasses.dataclass(frozen=True)
class Grain:
    """How finely things are compared."""

    level: int
    """How often the picture is halved."""
    size: int
    """Side of a patch in pixels of that level, odd."""
    count: int
    """Most patches."""


class Picture:
    """The image in grey, no finer than the reference views, and its halves."""

    def __init__(
        self, image: NDArray[np.uint8], camera: Camera, focal: float, mask: ImageMask | None = None
    ) -> None:
        """From an image, (H, W, 3) BGR or (H, W), and the mean focal length of the reference views in pixels.

        Args:
            mask: what of it shows the robot; no patch there lies inside.
        """
        self._mask = mask
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        self.camera = shrunk_camera(camera, focal)
        """Of the finest level."""
        if self.camera is not camera:
            size = (self.camera.width, self.camera.height)
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        # From here on in floating point: in the dark, whole grey levels are coarse.
        self._levels = [grey.astype(np.float32)]

    def level(self, level: int) -> Array32:
        """(H, W) after so many halvings."""
        while len(self._levels) <= level:
            self._levels.append(halved(self._levels[-1]))
        return self._levels[level]

    def look(self, places_px: Array, grain: Grain) -> tuple[Array32, NDArray[np.bool_]]:
        """Normalised patches (N, S) around places (N, 2) px of the finest level, and which of them lie inside (N,)."""
        grey = self.level(grain.level)
        margin = grain.size // 2
        # Pixel edges, not centres, scale.
        x, y = ((places_px + 0.5) * 0.5**grain.level - 0.5).T.astype(np.float32)
        height, width = grey.shape
        inside = (x >= margin) & (x <= width - 1 - margin) & (y >= margin) & (y <= height - 1 - margin)
        x[~inside] = y[~inside] = 0  # they may be NaN
        if self._mask is not None:
            inside &= _clear(self._mask, grey.shape, grain.size)[
                np.rint(y).astype(int), np.rint(x).astype(int)
            ]
        map_x, map_y = map(np.add.outer, (x, y), patch_offsets(grain.size))
        found = cv2.remap(grey, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return _normalised(np.asarray(found, np.float32))[0], inside


@dataclasses.dataclass(frozen=True, eq=False)
class Patches:
    """N patches of S pixels, as the reference views show them."""

    points_map: Array
    """(N, 3) what lies at their centres."""
    covariances_map: Array
    """(N, 3, 3) of that."""
    looks: Array32
    """(N, S) of mean 0 and norm 1."""
    slopes: Array32
    """(N, 2, S) how the normalised patch changes as it moves right and down by a pixel."""
    strengths: Array32
    """(N, 2, 2) slopes times their transpose."""

    @staticmethod
    def of(
        taken: Array32, points_map: Array, covariances_map: Array, size: int, good: NDArray[np.bool_]
    ) -> Patches:
        """The good ones that have contrast, from patches with a margin of one pixel around, (N, (size + 2)^2)."""
        inner = taken.reshape(-1, size + 2, size + 2)[:, 1:-1, 1:-1].reshape(-1, size * size)
        looks, norms = _normalised(inner)
        kept = np.flatnonzero(good & (norms > MIN_CONTRAST * size))
        grey, looks, norms = taken[kept].reshape(-1, size + 2, size + 2), looks[kept], norms[kept]
        steps = np.empty((len(kept), 2, size, size), np.float32)
        np.subtract(grey[:, 1:-1, 2:], grey[:, 1:-1, :-2], out=steps[:, 0])
        np.subtract(grey[:, 2:, 1:-1], grey[:, :-2, 1:-1], out=steps[:, 1])
        slopes = steps.reshape(len(kept), 2, size * size)
        slopes *= (0.5 / norms)[:, None, None]
        # Only what changes the normalised patch: not its mean, and not its contrast.
        slopes -= slopes.mean(axis=2, keepdims=True)
        slopes -= (slopes @ looks[:, :, None]) * looks[:, None]
        strengths = slopes @ slopes.transpose(0, 2, 1)
        return Patches(points_map[kept], covariances_map[kept], looks, slopes, strengths)

    def __len__(self) -> int:
        return len(self.looks)


def _normalised(patches: Array32) -> tuple[Array32, Array32]:
    """Patches (N, S) with mean 0 and norm 1, and the norms they had; one without any contrast becomes 0."""
    centered = patches - patches.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.einsum("ns,ns->n", centered, centered))
    centered /= np.maximum(norms, 1e-3)[:, None]
    return centered, norms


@functools.lru_cache(maxsize=16)
def patch_offsets(size: int) -> Array32:
    """(2, size^2) x and y of a patch's pixels from its centre."""
    steps = np.arange(size, dtype=np.float32) - size // 2
    return np.stack(np.meshgrid(steps, steps)).reshape(2, -1)


@functools.lru_cache(maxsize=16)
def _clear(mask: ImageMask, shape: tuple[int, int], size: int) -> NDArray[np.bool_]:
    """(H, W) where a patch of this size shows nothing of the robot, in a picture of this shape."""
    used = cv2.resize(255 * mask.used.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_AREA)
    clear: NDArray[np.bool_] = cv2.erode(used, np.ones((size, size), np.uint8)) == 255
    return clear


@functools.lru_cache(maxsize=16)
def shrunk_camera(camera: Camera, focal: float) -> Camera:
    """The camera, no finer than a mean focal length in pixels; kept, as it works out the reach of its lens once."""
    shrink = focal / camera.mean_focal
    if shrink >= 0.99:
        return camera
    return camera.resized(max(round(camera.width * shrink), 1), max(round(camera.height * shrink), 1))
