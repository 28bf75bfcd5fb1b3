"""The model of a map with further images in it: what it held before is there as it was."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import SE3
from reloc_ros.io.camera_files import camera_from_colmap, px_from_colmap
from reloc_ros.offline.model.sfm import MAX_ERROR_PX, MIN_TRIANGULATION_ANGLE_DEG, SfmModel
from reloc_ros.offline.model.triangulate import triangulate
from reloc_ros.offline.sources.photographs import read_photo

Observations = list[tuple[int, str, float, float]]
"""Point id, image, and pixel in our convention."""


def extended_model(known: SfmModel, made: Any, placed: Sequence[str], images_dir: Path) -> SfmModel:
    """A model with the images that were placed in it, what they saw of its points, and the points that they added.

    Args:
        known: the model; poses, points, intrinsics, ids and observations are taken over bit by bit.
        made: the `pycolmap.Reconstruction` of `Placing`.
        placed: names of the new images in it.
        images_dir: of all images, for the colours of new points.
    """
    images = {image.name: image for image in made.images.values() if image.has_pose}
    old_points = set(known.point_ids.tolist())
    seen = [_seen(name, images[name]) for name in placed]
    added = sorted({row[0] for rows in seen for row in rows} - old_points)
    found = set(added)  # the mapper may also have made some of what old images alone see
    observations = [row for rows in seen for row in rows]
    for name in known.names:
        if name in images:
            observations += [row for row in _seen(name, images[name]) if row[0] in found]
    names = tuple(sorted((*known.names, *placed)))
    cameras, camera_ids = _cameras(known, [images[name] for name in placed], made)
    poses = dict(zip(known.names, known.camera_from_map, strict=True))
    for name in placed:
        bottom = np.array([[0.0, 0.0, 0.0, 1.0]])
        poses[name] = SE3.from_matrix(np.vstack([images[name].cam_from_world().matrix(), bottom]))
    keys = dict(zip((*known.names, *placed), (*known.camera_ids.tolist(), *camera_ids), strict=True))
    places = np.array([made.points3D[key].xyz for key in added]).reshape(-1, 3)
    model = replace(
        known,
        cameras=cameras,
        names=names,
        camera_ids=np.array([keys[name] for name in names], np.int64),
        camera_from_map=tuple(poses[name] for name in names),
        points_map=np.concatenate([known.points_map, places]),
        point_ids=np.concatenate([known.point_ids, np.array(added, np.int64)]),
        colors=np.concatenate([known.colors, np.zeros((len(added), 3), np.uint8)]),
        errors_px=np.concatenate([known.errors_px, np.zeros(len(added))]),
        **_merged(known, names, [*known.point_ids.tolist(), *added], observations),
    )
    model = _sound(model, old_points, set(placed))
    return _colored(model, old_points, images_dir, placed)


def _seen(name: str, image: Any) -> Observations:
    points = [(point.point3D_id, point.xy) for point in image.points2D if point.has_point3D()]
    return [(key, name, *px_from_colmap(xy).tolist()) for key, xy in points]


def _cameras(known: SfmModel, images: Sequence[Any], made: Any) -> tuple[dict, list[int]]:
    """All cameras, and the key of that of each new image: of those that the map has, its own."""
    cameras, keys = dict(known.cameras), {}
    for camera_id in sorted({image.camera_id for image in images}):
        colmap = made.cameras[camera_id]
        camera = camera_from_colmap(colmap.model.name, colmap.width, colmap.height, colmap.params)
        same = [key for key, other in known.cameras.items() if other == camera]
        keys[camera_id] = same[0] if same else max(cameras) + 1
        cameras[keys[camera_id]] = camera
    return cameras, [keys[image.camera_id] for image in images]


def _merged(
    known: SfmModel, names: tuple[str, ...], point_ids: list[int], added: Observations
) -> dict[str, NDArray]:
    image_of = {name: row for row, name in enumerate(names)}
    point_of = {key: row for row, key in enumerate(point_ids)}
    moved = np.array([image_of[name] for name in known.names])[known.observation_image]
    points = np.concatenate([known.observation_point, [point_of[key] for key, *_ in added]]).astype(np.int32)
    images = np.concatenate([moved, [image_of[name] for _, name, *_ in added]]).astype(np.int32)
    px = np.concatenate([known.observation_px, np.array([row[2:] for row in added]).reshape(-1, 2)])
    order = np.lexsort([images, points])
    return {
        "observation_point": points[order],
        "observation_image": images[order],
        "observation_px": px[order],
    }


def _sound(model: SfmModel, old_points: Collection[int], placed: set[str]) -> SfmModel:
    """Without new observations, and new points, that COLMAP would not have kept."""
    old = list(old_points)
    is_old_point = np.isin(model.point_ids, old)
    is_new_image = np.array([name in placed for name in model.names])
    is_new = is_new_image[model.observation_image] | ~is_old_point[model.observation_point]
    errors = model.observed_rays.errors_px(model.points_map)
    model = model.keep_observations(~is_new | (errors <= MAX_ERROR_PX))
    model = model.keep_points(
        is_old_point | (model.track_lengths >= 2)
    )  # some may be left with no observation
    angles = triangulate(model.observed_rays, len(model.points_map)).angles_deg
    model = model.keep_points(np.isin(model.point_ids, old) | (angles >= MIN_TRIANGULATION_ANGLE_DEG))
    return replace(model, errors_px=model.observed_rays.mean_errors_px(model.points_map))


def _colored(
    model: SfmModel, old_points: Collection[int], images_dir: Path, placed: Sequence[str]
) -> SfmModel:
    """With the colours that new points have in one of the new images that see them."""
    colors = model.colors.copy()
    is_new = ~np.isin(model.point_ids, list(old_points))
    for name in placed:
        rows = model.observations_of(model.names.index(name))
        mine = rows[is_new[model.observation_point[rows]]]
        photo = read_photo(images_dir / name)
        x, y = np.rint(model.observation_px[mine]).astype(int).T
        height, width = photo.shape[:2]
        colors[model.observation_point[mine]] = photo[y.clip(0, height - 1), x.clip(0, width - 1), ::-1]
    return replace(model, colors=colors)
