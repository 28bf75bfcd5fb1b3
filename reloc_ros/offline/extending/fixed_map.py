"""A finished map as COLMAP's mapper takes it: poses, points and intrinsics that are not its to change."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.cameras import Camera
from reloc_ros.io.camera_files import colmap_from_camera, colmap_from_px
from reloc_ros.offline.model.sfm import SfmModel

SAME_PLACE_PX = 0.75
"""A keypoint so near to where an image saw a point is what it saw of it; COLMAP's own lie there exactly."""


def fixed_map(known: SfmModel, database: Path) -> Any:
    """A `pycolmap.Reconstruction` of a model, its images and keypoints those of a database, its point ids the model's.

    Args:
        database: holds the model's images, among others; images of one camera in it are of one in the model.
    """
    import pycolmap

    made = pycolmap.Reconstruction()
    with closing(pycolmap.Database.open(str(database))) as opened:
        images = {image.name: image for image in opened.read_all_images()}
        cameras = {camera.camera_id: camera for camera in opened.read_all_cameras()}
        keypoints = {
            name: np.asarray(opened.read_keypoints(images[name].image_id), np.float64)[:, :2]
            for name in known.names
        }
    camera_of = {images[name].camera_id: known.camera(row) for row, name in enumerate(known.names)}
    for camera_id, camera in cameras.items():
        made.add_camera_with_trivial_rig(
            _as_colmap(camera_of[camera_id], camera_id, is_certain=True)
            if camera_id in camera_of
            else _first_guess(camera, known)
        )
    for row, name in enumerate(known.names):
        image = pycolmap.Image(
            name=name,
            keypoints=keypoints[name],
            camera_id=images[name].camera_id,
            image_id=images[name].image_id,
        )
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d(known.camera_from_map[row].matrix[:3]))
    for key, place in zip(known.point_ids.tolist(), known.points_map, strict=True):
        made.add_point3D_with_id(key, pycolmap.Point3D(xyz=place))
    for row, name in enumerate(known.names):
        mine = known.observations_of(row)
        points, seen = _keypoints_of_points(
            keypoints[name], known.observation_px[mine], known.point_ids[known.observation_point[mine]]
        )
        for key, keypoint in zip(points, seen, strict=True):
            made.add_observation(key, pycolmap.TrackElement(images[name].image_id, keypoint))
    return made


def _keypoints_of_points(
    keypoints: NDArray[np.float64], seen_px: NDArray[np.float64], point_ids: NDArray[np.int64]
) -> tuple[list[int], list[int]]:
    """Which keypoints of an image show which points, each keypoint one at most."""
    if len(keypoints) == 0 or len(seen_px) == 0:
        return [], []
    distances, nearest = cKDTree(keypoints).query(colmap_from_px(seen_px))
    order = np.argsort(distances, kind="stable")
    order = order[distances[order] <= SAME_PLACE_PX]
    _, first = np.unique(nearest[order], return_index=True)
    chosen = order[first]
    return point_ids[chosen].tolist(), nearest[chosen].tolist()


def _as_colmap(camera: Camera, camera_id: int, is_certain: bool) -> Any:
    import pycolmap

    name, params = colmap_from_camera(camera)
    return pycolmap.Camera(
        camera_id=camera_id,
        model=name,
        width=camera.width,
        height=camera.height,
        params=params,
        has_prior_focal_length=is_certain,
    )


def _first_guess(camera: Any, known: SfmModel) -> Any:
    """A camera of the database; where nobody knows its intrinsics, it may be like one of the map of this aspect."""
    if camera.has_prior_focal_length:
        return camera
    for alike in known.distinct_cameras().values():
        fitted = alike.for_image(camera.width, camera.height)
        if fitted is not None and colmap_from_camera(fitted)[0] == camera.model.name:
            return _as_colmap(fitted, camera.camera_id, is_certain=False)
    return camera
