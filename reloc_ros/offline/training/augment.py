"""Random views of a map image: other viewpoints, light, weather and occlusion, with the landmarks moved along."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.training.degrade import cover, degrade, relight, shade
from reloc_ros.offline.training.stored_images import ImageStore, StoredImage

BASE_SCALE = 1.5
"""Map images are kept this much larger than the network's input, so that zooming in stays sharp."""
LEVELS = (1.0, 0.71, 0.5)
"""Sizes at which a base image is kept beside itself: shrunk by a warp alone, it would be full of false detail."""
SHARPEST = 0.75
"""A warp may shrink a level to this at most before it takes the next."""


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
    """Things in the way; now and then it is a single large one instead. With 0 there is none."""
    clean_share: float = 0.15
    """Share of the views whose colours are left alone."""
    shade_share: float = 0.15
    """Share of the others whose light falls unevenly."""


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """One training example."""

    image: NDArray[np.uint8]
    """(H, W, 3) BGR at the network's input size."""
    keypoints_px: NDArray[np.float32]
    """(K, 2) network pixels; NaN where unknown."""
    visibility: NDArray[np.int8]
    """(K,) of `Visibility`."""


class ViewSampler:
    """Random views of all map images, the same for the same seed and index."""

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8] | StoredImage],
        labels: Labels,
        size: tuple[int, int],
        config: AugmentConfig,
        seed: int,
        folder: Path | None = None,
        progress: Progress = silent,
    ) -> None:
        """Read each image once; what views are made of is kept in `folder`, see `ImageStore`."""
        self._size, self._config, self._seed = size, config, seed
        self._bases = []
        store = ImageStore(folder)
        for image, keypoints, visibility in zip(images, labels.keypoints_px, labels.visibility, strict=True):
            to_base = base_from_image(image.shape[1], image.shape[0], size)
            moved = (keypoints @ to_base[:2, :2].T + to_base[:2, 2]).astype(np.float32)
            levels = [store.put(level) for level in base_levels(np.asarray(image), size)]
            self._bases.append((levels, moved, visibility))
            progress("read images", len(self._bases), len(images))

    def thumbnails(self) -> Iterator[NDArray[np.uint8]]:
        """All images in turn, small."""
        return (np.asarray(levels[-1]) for levels, *_ in self._bases)

    def of_images(self, rows: NDArray[np.int64]) -> ViewSampler:
        """Views of some of the images alone."""
        some = copy.copy(self)
        some._bases = [self._bases[row] for row in rows]
        return some

    @property
    def images(self) -> int:
        """How many there are: every such number of successive views shows each of them."""
        return len(self._bases)

    def __call__(self, index: int) -> View:
        rng = np.random.default_rng([self._seed, index])
        return make_view(*self._bases[index % len(self._bases)], self._size, self._config, rng)


def make_view(
    levels: Sequence[NDArray[np.uint8] | StoredImage],
    keypoints_px: NDArray[np.float32],
    visibility: NDArray[np.int8],
    size: tuple[int, int],
    config: AugmentConfig,
    rng: np.random.Generator,
) -> View:
    """A random view of `size` (width, height) from a base image and its labels in the base image's pixels.

    `levels` are the base image and smaller copies of it, as `base_levels` makes them.
    """
    height, width = levels[0].shape[:2]
    view_from_base = _random_homography(width, height, size, config, rng)
    level = np.asarray(_level(levels, view_from_base))
    border = int(rng.integers(0, 256))
    view = warp_view(level, keypoints_px, visibility, size, view_from_base, border, levels[0].shape)
    image, covered = cover(view.image, config.max_boxes, rng)
    if rng.random() >= config.clean_share:
        if rng.random() < config.shade_share:
            image = shade(image, rng)
        image, brightness = relight(image, rng)
        image = degrade(image, brightness, rng)
    return dataclasses.replace(view, image=image, visibility=_hide(view, covered))


def warp_view(
    base: NDArray[np.uint8],
    keypoints_px: NDArray[np.float32],
    visibility: NDArray[np.int8],
    size: tuple[int, int],
    view_from_base: NDArray[np.float64],
    border: int = 0,
    base_shape: tuple[int, ...] | None = None,
) -> View:
    """The view through a homography (3, 3) between pixel coordinates; what leaves the frame becomes HIDDEN.

    With `base_shape`, `base` is a smaller copy of the image that the homography and the keypoints refer to.
    """
    height, width = (base_shape or base.shape)[:2]
    view_from_copy = view_from_base @ resize_homography(width / base.shape[1], height / base.shape[0])
    image = cv2.warpPerspective(base, view_from_copy, size, flags=cv2.INTER_LINEAR, borderValue=(border,) * 3)
    homogeneous = np.column_stack([keypoints_px, np.ones(len(keypoints_px))]) @ view_from_base.T
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = (homogeneous[:, :2] / homogeneous[:, 2:]).astype(np.float32)
    x, y = moved.T
    inside = (x >= 0) & (x <= size[0] - 1) & (y >= 0) & (y <= size[1] - 1)
    return View(image, moved, np.where(inside, visibility, Visibility.HIDDEN).astype(np.int8))


def base_levels(image: NDArray[np.uint8], size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """The base image of a photograph, and smaller copies of it, each averaged from the photograph itself."""
    width, height = base_size(image.shape[1], image.shape[0], size)
    sizes = [(max(1, round(width * level)), max(1, round(height * level))) for level in LEVELS]
    return [cv2.resize(image, level_size, interpolation=cv2.INTER_AREA) for level_size in sizes]


def _level(
    levels: Sequence[NDArray[np.uint8] | StoredImage], view_from_base: NDArray[np.float64]
) -> NDArray[np.uint8] | StoredImage:
    """The sharpest copy that the warp does not shrink much at the image's middle."""
    height, width = levels[0].shape[:2]
    row = view_from_base[2] @ [width / 2, height / 2, 1]
    magnification = np.sqrt(abs(np.linalg.det(view_from_base) / row**3))  # of lengths: det J = det H / w^3
    for level in levels:
        if magnification * width / level.shape[1] >= SHARPEST:
            return level
    return levels[-1]


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


def _hide(view: View, covered: NDArray[np.bool_]) -> NDArray[np.int8]:
    visibility = view.visibility.copy()
    seen = np.flatnonzero(visibility == Visibility.SEEN)
    columns, rows = np.rint(view.keypoints_px[seen]).astype(int).T
    visibility[seen[covered[rows, columns]]] = Visibility.HIDDEN
    return visibility
