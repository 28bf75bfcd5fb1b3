"""The appearance test of visibility: does an image show what a view that saw the landmark showed of it?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Visibility, observed_landmarks, unlabelled
from reloc_ros.offline.model.sfm import SfmModel, rows_of_groups
from reloc_ros.offline.model.workspace_model import read_map_photo
from reloc_ros.offline.progress import Progress, silent

Array = NDArray[np.float64]

WIDTH = 640
"""Images are compared at this width, near that of the network's input, in pixels."""
STEP_PX = 1.5
SAMPLES = 11
"""A patch is so many samples wide and high, this far apart."""
SEARCH = 2
"""Samples by which a patch may be off in each direction: poses and points are not exact."""
MIN_CONTRAST = 5.0
"""Standard deviation in grey levels below which a patch looks like any other."""
MOST_ROWS = 2**15 - 1
"""Of what OpenCV remaps at once."""
DISTANCE_WEIGHT = 0.3
"""Cosine of the angle between two views that is worth a distance different by a factor e."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Pairs:
    """N comparisons."""

    image: NDArray[np.int64]
    """(N,) in this image,"""
    landmark: NDArray[np.int64]
    """(N,) around this landmark,"""
    reference: NDArray[np.int64]
    """(N,) with this image."""
    across: Array
    """(N, 3) one step to the right on the plane that faces both cameras,"""
    down: Array
    """(N, 3) and one step down, in the map."""


def likeness(
    model: SfmModel,
    landmarks: Landmarks,
    asked: NDArray[np.bool_],
    images_dir: Path,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Normalised cross-correlation (I, K) of the patches around landmarks; NaN where it says nothing.

    The patch in the image is compared with that in the view that observed the landmark from nearest by, both seen
    as on a small plane that faces the two cameras.

    Args:
        asked: (I, K) where to compare, if the landmark is in the image at all.
    """
    inside = unlabelled(model, landmarks).visibility == Visibility.UNKNOWN
    pairs = _pair_up(model, landmarks, asked & inside)
    wide = SAMPLES + 2 * SEARCH
    templates = np.full((len(pairs.image), SAMPLES, SAMPLES), np.nan, np.float32)
    searched = np.full((len(pairs.image), wide, wide), np.nan, np.float32)
    told = [rows_of_groups(images, len(model.names)) for images in (pairs.reference, pairs.image)]
    for index, asked_here in enumerate(zip(*told, strict=True)):
        grey = _grey(read_map_photo(images_dir, model, index))
        for patches, rows in zip((templates, searched), asked_here, strict=True):
            patches[rows] = _sample(model, landmarks, pairs, rows, index, grey, patches.shape[1])
        progress("compare patches", index + 1, len(model.names))
    result = np.full(asked.shape, np.nan, np.float32)
    result[pairs.image, pairs.landmark] = _correlate(templates, searched)
    return result


def _pair_up(model: SfmModel, landmarks: Landmarks, asked: NDArray[np.bool_]) -> _Pairs:
    image, landmark = np.nonzero(asked)
    reference = np.full(len(image), -1)
    offsets = model.centers_map[:, None] - landmarks.positions_map[None]
    distances = np.linalg.norm(offsets, axis=2)
    rays = offsets / distances[:, :, None]
    observed = observed_landmarks(model, landmarks)
    for k, mine in enumerate(rows_of_groups(landmark, len(landmarks))):
        others = np.flatnonzero(observed[:, k])
        if len(mine) == 0 or len(others) == 0:
            continue
        here = image[mine]
        value = rays[here, k] @ rays[others, k].T - DISTANCE_WEIGHT * np.abs(
            np.log(distances[here, k][:, None] / distances[others, k])
        )
        value[here[:, None] == others] = -np.inf
        best = np.argmax(value, axis=1)
        reference[mine] = np.where(np.isfinite(value.max(axis=1)), others[best], -1)
    known = reference >= 0
    image, landmark, reference = image[known], landmark[known], reference[known]
    across, down = _planes(model, rays[image, landmark], rays[reference, landmark], image)
    spans = np.array([model.camera(i).width / model.camera(i).fx for i in range(len(model.names))])
    steps = np.maximum(
        distances[image, landmark] * spans[image], distances[reference, landmark] * spans[reference]
    ) * (STEP_PX / WIDTH)
    return _Pairs(image, landmark, reference, across * steps[:, None], down * steps[:, None])


def _planes(
    model: SfmModel, to_image: Array, to_reference: Array, image: NDArray[np.int64]
) -> tuple[Array, Array]:
    """(N, 3) unit vectors right and down, as the image's camera is held, on planes that face both cameras."""
    normals = to_image + to_reference
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    right = model.rotations[image, 0]
    across = right - np.sum(right * normals, axis=1, keepdims=True) * normals
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return across, np.cross(across, normals)


def _grey(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    height = round(image.shape[0] * WIDTH / image.shape[1])
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (WIDTH, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def _sample(
    model: SfmModel,
    landmarks: Landmarks,
    pairs: _Pairs,
    rows: NDArray[np.int64],
    image: int,
    grey: NDArray[np.float32],
    size: int,
) -> NDArray[np.float32]:
    """(N, size, size) the patches of some pairs as one image shows them; NaN where they leave it."""
    steps = np.arange(size) - (size - 1) / 2
    places = (
        landmarks.positions_map[pairs.landmark[rows], None, None]
        + pairs.across[rows, None, None] * steps[None, None, :, None]
        + pairs.down[rows, None, None] * steps[None, :, None, None]
    )
    camera = model.camera(image)
    pixels = camera.project(model.camera_from_map[image].apply(places.reshape(-1, 3)))
    scale = np.array([grey.shape[1] / camera.width, grey.shape[0] / camera.height])
    pixels = np.nan_to_num((pixels + 0.5) * scale - 0.5, nan=-1e4)  # behind the camera is outside the picture
    pixels = pixels.reshape(-1, size * size, 2).astype(np.float32)
    patches = np.empty((len(pixels), size * size), np.float32)
    for start in range(0, len(pixels), MOST_ROWS):
        here = slice(start, start + MOST_ROWS)
        cv2.remap(grey, pixels[here], None, cv2.INTER_LINEAR, dst=patches[here], borderValue=float("nan"))
    return patches.reshape(-1, size, size)


def _correlate(templates: NDArray[np.float32], searched: NDArray[np.float32]) -> NDArray[np.float32]:
    scores = np.full(len(templates), np.nan, np.float32)
    usable = np.isfinite(templates).all((1, 2)) & np.isfinite(searched).all((1, 2))
    usable[usable] &= templates[usable].std((1, 2)) >= MIN_CONTRAST
    for row in np.flatnonzero(usable):
        scores[row] = cv2.matchTemplate(searched[row], templates[row], cv2.TM_CCOEFF_NORMED).max()
    return scores
