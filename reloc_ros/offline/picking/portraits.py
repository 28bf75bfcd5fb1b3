"""How a point of the map looks in the images: small pictures of its surroundings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.landmarks.label import Labels, Visibility
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.sources.photographs import read_photo

AROUND = 0.06
"""A portrait shows this share of the picture's width to each side of the point."""
SIZE = 96
"""Portraits are so many pixels wide and high."""
SHOWN = {Visibility.SEEN: 8, Visibility.UNKNOWN: 2, Visibility.HIDDEN: 2}
"""So many at most of each state."""


@dataclasses.dataclass(frozen=True, eq=False)
class Portrait:
    """One landmark in one image."""

    image: int
    """Which of the map images."""
    state: Visibility
    picture: NDArray[np.uint8]
    """(SIZE, SIZE, 3) BGR, the landmark in the middle."""


def portraits(model: SfmModel, labels: Labels, images_dir: Path) -> list[Portrait]:
    """The one landmark of `labels` in some images that it projects into: first where it is seen."""
    made = []
    for state, most in SHOWN.items():
        images = [
            image
            for image in np.flatnonzero(labels.visibility[:, 0] == state).tolist()
            if model.camera(image).contains(labels.keypoints_px[image, :1])[0]
        ]
        for image in _spread_out(images, most):
            photo = read_photo(images_dir / model.names[image])
            made.append(Portrait(image, state, _cut(photo, labels.keypoints_px[image, 0])))
    return made


def _spread_out(images: list[int], most: int) -> list[int]:
    """At most so many of them, evenly: neighbours in the film look alike."""
    if len(images) <= most:
        return images
    return [images[round(place)] for place in np.linspace(0, len(images) - 1, most)]


def _cut(photo: NDArray[np.uint8], pixel: NDArray[np.float32]) -> NDArray[np.uint8]:
    side = max(3, round(2 * AROUND * photo.shape[1]))
    patch = cv2.getRectSubPix(photo, (side, side), pixel.astype(float).tolist())
    patch = cv2.resize(patch, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):  # to be seen on dark and on bright
        cv2.circle(patch, (8 * SIZE // 2 - 4, 8 * SIZE // 2 - 4), 8 * 7, colour, thickness, cv2.LINE_AA, 3)
    return patch
