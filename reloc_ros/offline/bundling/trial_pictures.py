"""Pictures to try a bundle with: of its place, by turned cameras in bad conditions, and of no place at all."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.offline.measuring.conditions import CONDITIONS

WIDTH = 640
"""Longer side of the pictures, pixels; smaller photographs stay as they are."""
MAX_ROLL_DEG = 25.0
MAX_TURN_DEG = 6.0
ZOOM = (0.8, 1.35)
CLEAN_SHARE = 0.3
"""Of the pictures of the place; the others each meet one of the conditions."""
TILES = (6, 8)
"""Along a side. The pieces of fewer are large enough to be seen for what they are: parts of the place."""
_STEP = 8
"""Pixels; a power of two, for which OpenCV's interpolation is exact."""

_CONDITIONS = [
    name for name in CONDITIONS if name not in ("clean", "double")
]  # double: the same, only slower


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
    """A photograph whose pose is known."""

    image: NDArray[np.uint8]
    camera: Camera
    camera_from_map: SE3
    name: str = ""


def of_the_place(photo: Photo, seed: int) -> Photo:
    """What a camera at the same spot would have taken that was turned, zoomed, and met some condition."""
    rng = np.random.default_rng([seed, 0])
    turned = _turn(photo, rng)
    if rng.random() < CLEAN_SHARE:
        return turned
    image, camera = CONDITIONS[_CONDITIONS[rng.integers(len(_CONDITIONS))]](turned.image, turned.camera)
    return dataclasses.replace(turned, image=image, camera=camera)


def of_no_place(photo: Photo, seed: int) -> Photo:
    """A picture with all of the place's colours and textures that no camera can take of it; its pose means nothing."""
    rng = np.random.default_rng([seed, 1])
    turned = _turn(photo, rng)
    kind = int(rng.integers(3))
    if kind == 2:
        return dataclasses.replace(turned, image=_shuffle(turned.image, int(rng.choice(TILES)), rng))
    # Upside down or mirrored: no turn of the camera does that.
    return dataclasses.replace(turned, image=cv2.flip(turned.image, kind))


def _turn(photo: Photo, rng: np.random.Generator) -> Photo:
    """A camera that turns about its centre sees the same, however deep the scene."""
    source = photo.camera
    shrink = min(WIDTH / max(source.width, source.height), 1.0)
    small = source.resized(max(1, round(shrink * source.width)), max(1, round(shrink * source.height)))
    angles_deg = rng.uniform(-1, 1, 3) * (MAX_TURN_DEG, MAX_TURN_DEG, MAX_ROLL_DEG)
    turned_from_camera = SE3.from_rotation_vector(np.radians(angles_deg), np.zeros(3))
    zoom = np.exp(rng.uniform(*np.log(ZOOM)))
    target = Camera(
        "pinhole", small.width, small.height, zoom * small.fx, zoom * small.fy, small.cx, small.cy
    )
    # Shrunk to the picture's own scale first: interpolation alone would pick single pixels out of many.
    share = min(zoom * small.width / source.width, 1.0)
    fine = source.resized(max(1, round(share * source.width)), max(1, round(share * source.height)))
    image = cv2.resize(photo.image, _size(fine), interpolation=cv2.INTER_AREA)
    pixels = source_pixels(target, fine, turned_from_camera.inverse())
    border = rng.integers(0, 256, 3).tolist()
    warped = cv2.remap(image, pixels, None, cv2.INTER_LINEAR, borderValue=border)
    return Photo(warped, target, turned_from_camera @ photo.camera_from_map, photo.name)


def source_pixels(target: Camera, source: Camera, source_from_target: SE3) -> NDArray[np.float32]:
    """(H, W, 2) where a camera at the same spot has each pixel of `target`; far outside where it has none.

    Interpolated between pixels `_STEP` apart, since lenses bend smoothly.
    """
    across, down = np.arange(0, target.width + _STEP, _STEP), np.arange(0, target.height + _STEP, _STEP)
    grid = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    rays = np.column_stack([target.unproject(grid), np.ones(len(grid))])
    coarse = (
        source.project(source_from_target.apply(rays)).astype(np.float32).reshape(len(down), len(across), 2)
    )
    x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) / _STEP for side in _size(target)))
    pixels = cv2.remap(coarse, x, y, cv2.INTER_LINEAR)
    pixels[np.isnan(pixels)] = -1e4
    return pixels


def _size(camera: Camera) -> tuple[int, int]:
    return camera.width, camera.height


def _shuffle(image: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut into count x count tiles and put together in another order."""
    height, width = (side // count * count for side in image.shape[:2])
    tiles = image[:height, :width].reshape(count, height // count, count, width // count, 3).swapaxes(1, 2)
    shuffled = tiles.reshape(count * count, *tiles.shape[2:])[rng.permutation(count * count)]
    whole = shuffled.reshape(tiles.shape).swapaxes(1, 2).reshape(height, width, 3)
    return cv2.resize(whole, (image.shape[1], image.shape[0]))
