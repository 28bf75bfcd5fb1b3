"""Choose the reference views and the points that a bundle carries to sharpen poses against."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.errors import RelocError
from reloc_ros.geometry import Camera
from reloc_ros.offline.frames import read_photo
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sfm import SfmModel
from reloc_ros.references import References

Array = NDArray[np.float64]

WIDTH = 640
"""Longer side of the pictures; smaller photographs stay as they are."""
MAX_POINTS = 8000
MAX_BYTES = 4_000_000
"""Of all pictures together."""
_WEBP_QUALITY = 80
_MIN_TRACK = 3
_MAX_ERROR_PX = 2.0
_NEIGHBOURS = 16
"""Points around one that tell how its surface lies."""
_FLAT = 0.05
"""Share of the neighbours' variance across the surface, from which on they are no surface."""


def make_references(
    model: SfmModel, images_dir: Path, max_bytes: int = MAX_BYTES, progress: Progress = silent
) -> References:
    """Views, points and sightings of a model that knows nothing of the held-out images.

    Args:
        model: from which everything that must not be known is taken out.
        max_bytes: of the pictures; where they do not fit, those that see least that is new are left out.
    """
    points = choose_points(model)
    order = order_views(model, points)
    files: dict[int, bytes] = {}
    cameras: dict[int, Camera] = {}
    for done, image in enumerate(order):
        file, camera = _small_picture(model, images_dir, image)
        if sum(map(len, files.values())) + len(file) > max_bytes:
            break
        files[image], cameras[image] = file, camera
        progress("reference views", done + 1, len(order))
    if not files:
        raise RelocError(f"no reference view fits into {max_bytes} bytes")
    return _gather(model, points, files, cameras)


def choose_points(model: SfmModel, count: int = MAX_POINTS) -> NDArray[np.intp]:
    """Rows of the points that were seen most often, and agree with where they were seen."""
    good = np.flatnonzero((model.track_lengths >= _MIN_TRACK) & (model.errors_px <= _MAX_ERROR_PX))
    longest = np.argsort(-model.track_lengths[good], kind="stable")[:count]
    return np.sort(good[longest])


def order_views(model: SfmModel, points: NDArray[np.intp]) -> list[int]:
    """Images by what each adds: always the one whose points are seen least by those before it."""
    wanted = np.zeros(len(model.points_map), dtype=bool)
    wanted[points] = True
    kept = wanted[model.observation_point]
    seen_point, seen_image = model.observation_point[kept], model.observation_image[kept]
    times_seen = np.zeros(len(model.points_map), dtype=np.int64)
    left = np.unique(seen_image).tolist()
    order = []
    while left:
        # The second view of a point is worth half of the first, and so on.
        gains = np.bincount(seen_image, 0.5 ** times_seen[seen_point], minlength=len(model.names))
        best = max(left, key=lambda image: gains[image])
        times_seen[seen_point[seen_image == best]] += 1
        left.remove(best)
        order.append(best)
    return order


def _small_picture(model: SfmModel, images_dir: Path, image: int) -> tuple[bytes, Camera]:
    photo, camera = read_photo(Path(images_dir) / model.names[image]), model.camera(image)
    if photo.shape[:2] != (camera.height, camera.width):
        raise RelocError(
            f"image {Path(images_dir) / model.names[image]} is {photo.shape[1]}x{photo.shape[0]}, but the map was made "
            f"from {camera.width}x{camera.height}; put the original back or map again"
        )
    shrink = min(WIDTH / max(camera.width, camera.height), 1.0)
    camera = camera.resized(max(round(camera.width * shrink), 1), max(round(camera.height * shrink), 1))
    grey = cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])
    return encoded.tobytes(), camera


def _gather(
    model: SfmModel, points: NDArray[np.intp], files: dict[int, bytes], cameras: dict[int, Camera]
) -> References:
    """Put together what the chosen views see of the chosen points."""
    new_view, new_point = np.full(len(model.names), -1), np.full(len(model.points_map), -1)
    views = sorted(files)
    new_view[views] = np.arange(len(views))
    new_point[points] = np.arange(len(points))
    view, point = new_view[model.observation_image], new_point[model.observation_point]
    rows = np.flatnonzero((view >= 0) & (point >= 0))
    rows = rows[np.lexsort([point[rows], view[rows]])]
    images = model.observation_image[rows]
    sizes = np.array([[model.camera(i).width, model.camera(i).height] for i in range(len(model.names))])
    small = np.array([[cameras[image].width, cameras[image].height] for image in views])
    # Pixel edges, not centres, scale.
    pixels = (model.observation_px[rows] + 0.5) * (small[view[rows]] / sizes[images]) - 0.5
    return References(
        files=tuple(files[image] for image in views),
        cameras=tuple(cameras[image] for image in views),
        camera_from_map=tuple(model.camera_from_map[image] for image in views),
        points_map=model.points_map[points],
        normals_map=estimate_normals(model)[points],
        seen_view=view[rows].astype(np.int32),
        seen_point=point[rows].astype(np.int32),
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
