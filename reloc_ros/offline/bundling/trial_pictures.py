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
    grid = np.stack(np.meshgrid(np.arange(target.width), np.arange(target.height)), axis=-1).reshape(-1, 2)
    rays = np.column_stack([target.unproject(grid), np.ones(len(grid))])
    pixels = fine.project(turned_from_camera.inverse().apply(rays)).astype(np.float32)
    pixels[np.isnan(pixels)] = -1e4
    pixels = pixels.reshape(target.height, target.width, 2)
    border = rng.integers(0, 256, 3).tolist()
    warped = cv2.remap(image, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderValue=border)
    return Photo(warped, target, turned_from_camera @ photo.camera_from_map, photo.name)


def _size(camera: Camera) -> tuple[int, int]:
    return camera.width, camera.height


def _shuffle(image: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut into count x count tiles and put together in another order."""
    height, width = (side // count * count for side in image.shape[:2])
    tiles = image[:height, :width].reshape(count, height // count, count, width // count, 3).swapaxes(1, 2)
    shuffled = tiles.reshape(count * count, *tiles.shape[2:])[rng.permutation(count * count)]
    whole = shuffled.reshape(tiles.shape).swapaxes(1, 2).reshape(height, width, 3)
    return cv2.resize(whole, (image.shape[1], image.shape[0]))
