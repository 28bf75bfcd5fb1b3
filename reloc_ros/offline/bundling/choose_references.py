"""Choose the reference views and the points that a bundle carries to sharpen poses against."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.sfm import SfmModel, rows_of_groups
from reloc_ros.offline.model.workspace_model import read_map_photo
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.picture_cells import cells_of_pixels, ranks_in_groups
from reloc_ros.refinement.references import References
from reloc_ros.refinement.sightings import CELLS

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

WIDTH = 640
"""Longer side of the pictures; smaller photographs stay as they are."""
SIGHTINGS_PER_VIEW = 400
"""Kept of each view, spread over it; more cost time and give no better poses."""
ENOUGH_BYTES = 2_750_000
"""Of all pictures together: beyond them only those that show something new are taken, as a large place needs,"""
ENOUGH_NEW = SIGHTINGS_PER_VIEW / 32
"""so many new points at least, of which one seen in n other views counts 1 / 2^n,"""
MAX_BYTES = 7_500_000
"""and no more than these hold."""
_WEBP_QUALITY = 60
"""Two thirds of the bytes of 80, with the same errors of sharpened poses; 40 makes them a tenth larger."""
_MIN_TRACK = 3
_MAX_ERROR_PX = 2.0
"""Points seen by fewer images, or worse in the mean, are no good to align by."""
_NEIGHBOURS = 16
"""Points around one that tell how its surface lies."""
_FLAT = 0.05
"""Share of the neighbours' variance across the surface, from which on they are no surface."""


def make_references(
    model: SfmModel,
    images_dir: Path,
    likes_of: Callable[[int], Sequence[SE3]] | None = None,
    progress: Progress = silent,
) -> References | None:
    """Views, points and sightings of a model, None when it has no points that are good enough.

    Args:
        model: as the map may know it, without anything of held-out images.
        likes_of: the poses, camera_from_map, from which the map looks as an image does, by its row in the model.
    """
    good = (model.track_lengths >= _MIN_TRACK) & (model.errors_px <= _MAX_ERROR_PX)
    rows = choose_sightings(model, np.flatnonzero(good[model.observation_point]))
    files: dict[int, bytes] = {}
    cameras: dict[int, Camera] = {}
    size = 0
    for image, new in order_views(model, rows):
        if size > ENOUGH_BYTES and new < ENOUGH_NEW:
            break
        file, camera = _small_picture(model, images_dir, image)
        size += len(file)
        if size > MAX_BYTES:
            if new >= ENOUGH_NEW:
                logger.warning(
                    "%d reference views fill %.0f MB; each of the others has up to %.0f points that are new to them",
                    len(files),
                    1e-6 * MAX_BYTES,
                    new,
                )
            break
        files[image], cameras[image] = file, camera
    if not files:
        return None
    references = _gather(model, rows, files, cameras)
    return references if likes_of is None else _with_likes(references, sorted(files), likes_of, progress)


def _with_likes(
    references: References,
    images: Sequence[int],
    likes_of: Callable[[int], Sequence[SE3]],
    progress: Progress,
) -> References:
    """The views of these images with the poses from which the map looks like them."""
    likes: list[Sequence[SE3]] = []
    for image in images:
        likes.append(likes_of(image))
        progress("look for what is alike", len(likes), len(images))
    if alike := sum(map(bool, likes)):
        logger.warning(
            "what %d of %d reference views show looks alike elsewhere in the map: images of it are lost as "
            "ambiguous_place, unless they show more",
            alike,
            len(images),
        )
    return dataclasses.replace(
        references,
        like_view=np.repeat(np.arange(len(likes), dtype=np.int32), list(map(len, likes))),
        like_camera_from_map=tuple(itertools.chain.from_iterable(likes)),
    )


def choose_sightings(model: SfmModel, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of these rows of the observations, those that spread over each image; within a cell, long tracks first."""
    images = model.observation_image[rows]
    cells = cells_of_pixels(model.observation_px[rows], model.image_sizes[images], CELLS)
    lengths = model.track_lengths[model.observation_point[rows]]
    turns = ranks_in_groups(images * CELLS**2 + cells, lengths.max(initial=0) - lengths)
    kept = ranks_in_groups(images, turns) < SIGHTINGS_PER_VIEW
    return rows[kept]


def order_views(model: SfmModel, rows: NDArray[np.intp]) -> Iterator[tuple[int, float]]:
    """Images by what each adds, and how much: always the one whose points are seen least by those before it.

    Args:
        rows: of the observations that count.
    """
    images, points = model.observation_image[rows], model.observation_point[rows]
    seen = [points[mine] for mine in rows_of_groups(images, len(model.names))]
    # The second view of a point is worth half of the first, and so on. What a view adds only ever falls, so
    # what it was earlier tells which need to be looked at again.
    worth = np.ones(len(model.points_map))
    queue = [(-float(len(mine)), image) for image, mine in enumerate(seen) if len(mine)]
    heapq.heapify(queue)
    while queue:
        _, image = queue[0]
        new = float(worth[seen[image]].sum())
        if (-new, image) > min(queue[1:3], default=(1.0, 0)):
            heapq.heapreplace(queue, (-new, image))
            continue
        heapq.heappop(queue)
        worth[seen[image]] /= 2
        yield image, new


def _small_picture(model: SfmModel, images_dir: Path, image: int) -> tuple[bytes, Camera]:
    photo, camera = read_map_photo(images_dir, model, image), model.camera(image)
    shrink = min(WIDTH / max(camera.width, camera.height), 1.0)
    camera = camera.resized(max(round(camera.width * shrink), 1), max(round(camera.height * shrink), 1))
    grey = cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])
    return encoded.tobytes(), camera


def _gather(
    model: SfmModel, rows: NDArray[np.intp], files: dict[int, bytes], cameras: dict[int, Camera]
) -> References:
    """Put together the chosen views and what they see, of these rows of the observations."""
    views = sorted(files)
    rows = rows[np.isin(model.observation_image[rows], views)]
    rows = rows[np.lexsort([model.observation_point[rows], model.observation_image[rows]])]
    points, point = np.unique(model.observation_point[rows], return_inverse=True)
    view = np.searchsorted(views, model.observation_image[rows])
    images = model.observation_image[rows]
    used = np.isin(np.arange(len(model.points_map)), points)
    small = np.array([[cameras[image].width, cameras[image].height] for image in views])
    # Pixel edges, not centres, scale.
    pixels = (model.observation_px[rows] + 0.5) * (small[view] / model.image_sizes[images]) - 0.5
    return References(
        files=tuple(files[image] for image in views),
        cameras=tuple(cameras[image] for image in views),
        camera_from_map=tuple(model.camera_from_map[image] for image in views),
        points_map=model.points_map[points],
        normals_map=estimate_normals(model)[points],
        covariances_map=model.keep_points(used).covariances_map,
        seen_view=view.astype(np.int32),
        seen_point=point.astype(np.int32),
        seen_px=pixels,
    )


def estimate_normals(model: SfmModel) -> Array:
    """(P, 3) unit normals from the points around each, turned towards the cameras that saw it.

    Where the neighbours are no surface, it is taken to face the middle of those cameras.
    """
    count = min(_NEIGHBOURS, len(model.points_map))
    _, near = cKDTree(model.points_map).query(model.points_map, count)
    local = model.points_map[near.reshape(-1, count)]
    local = local - np.median(local, axis=1, keepdims=True)
    weights = 1 / (1e-12 + np.linalg.norm(local, axis=2))  # far neighbours may be of another surface
    spread, directions = np.linalg.eigh(np.einsum("pk,pki,pkj->pij", weights, local, local))
    normals = directions[:, :, 0]
    rays = model.centers_map[model.observation_image] - model.points_map[model.observation_point]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    middles = np.column_stack([np.bincount(model.observation_point, ray) for ray in rays.T])
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    normals *= np.where(np.einsum("pi,pi->p", normals, middles) < 0, -1, 1)[:, None]
    doubt = np.clip(spread[:, 0] / spread.sum(axis=1) / _FLAT, 0, 1)[:, None]
    blended = (1 - doubt) * normals + doubt * middles
    return blended / np.linalg.norm(blended, axis=1, keepdims=True)
