"""Points for images whose poses are known, and poses for images that a finished map was made without."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.offline.evenly import evenly
from reloc_ros.offline.model.sfm import MIN_TRIANGULATION_ANGLE_DEG, SfmModel, rows_of_groups
from reloc_ros.offline.model.triangulate import triangulate
from reloc_ros.offline.sources.gather import Group
from reloc_ros.pose.pnp import Correspondences, make_solver, refine, reprojection_errors

_REACH_PX = 4.0
"""A point agrees with a pose within this: COLMAP's own limit for an observation, at 640 pixels wide."""
_TELLING_POINTS = 25
"""Of an image's points that others know without it: with fewer its pose without itself is chance."""
_MOST_POINTS = 300
"""So many of an image's points are enough to tell."""
_MIN_INLIER_SHARE = 0.5
_MAX_OFF_SHARE, _MAX_OFF_DEG = 0.05, 2.0
"""Of the image's own distance from what it sees."""


@dataclass(frozen=True, eq=False)
class Relocated:
    """Where each image of a model would be by what the others know alone. I images."""

    points: NDArray[np.int64]
    """(I,) how many of its points the others know without it."""
    inliers: NDArray[np.int64]
    """(I,) how many of these agree with the pose that was found."""
    off_shares: NDArray[np.float64]
    """(I,) distance from its own pose, as a share of its distance from what it sees; infinite if none was found."""
    off_deg: NDArray[np.float64]
    """(I,) angle from its own pose."""

    @property
    def disagrees(self) -> NDArray[np.bool_]:
        """(I,) images that the others place elsewhere, or nowhere though they know its points."""
        is_off = (self.off_shares > _MAX_OFF_SHARE) | (self.off_deg > _MAX_OFF_DEG)
        return (self.points >= _TELLING_POINTS) & (is_off | (self.inliers < _MIN_INLIER_SHARE * self.points))


def relocate_each(model: SfmModel) -> Relocated:
    """Find each image's pose from its points as the other images alone triangulate them."""
    of_images = rows_of_groups(model.observation_image, len(model.names))
    of_points, is_long = (
        rows_of_groups(model.observation_point, len(model.points_map)),
        model.track_lengths > 2,
    )
    found = []
    for image, rows in enumerate(of_images):
        seen = np.unique(model.observation_point[rows])
        seen = seen[is_long[seen]]
        seen = seen[evenly(len(seen), _MOST_POINTS)]
        rows = np.concatenate([of_points[point] for point in seen]) if len(seen) else seen
        found.append(_relocated(_with_points(model, seen, rows), image))
    points, inliers, off_shares, off_deg = zip(*found, strict=True)
    return Relocated(np.array(points), np.array(inliers), np.array(off_shares), np.array(off_deg))


def _with_points(model: SfmModel, points: NDArray[np.int64], rows: NDArray[np.int64]) -> SfmModel:
    """The model with some points alone, `rows` their observations; in the time that these take, not all."""
    return replace(
        model,
        points_map=model.points_map[points],
        point_ids=model.point_ids[points],
        colors=model.colors[points],
        errors_px=model.errors_px[points],
        observation_point=np.searchsorted(points, model.observation_point[rows]).astype(np.int32),
        observation_image=model.observation_image[rows],
        observation_px=model.observation_px[rows],
    )


def _relocated(own: SfmModel, image: int) -> tuple[int, int, float, float]:
    """
    Args:
        own: the model with points that the image sees alone.
    """
    others = own.keep_observations(own.observation_image != image)
    known = others.track_lengths >= 2
    others = others.keep_points(known)
    result = triangulate(others.observed_rays, len(others.points_map))
    steady = (result.angles_deg >= MIN_TRIANGULATION_ANGLE_DEG) & np.isfinite(result.points_map).all(axis=1)
    own = own.keep_points(known).keep_points(steady)
    own = own.keep_observations(own.observation_image == image)
    pixels = own.observation_px[np.unique(own.observation_point, return_index=True)[1]]
    camera, points_map = own.camera(image), result.points_map[steady]
    reach = _REACH_PX / 640 * camera.width / camera.fx
    matches = Correspondences(points_map, camera.unproject(pixels), np.full(len(pixels), reach / 2))
    pose = make_solver("auto")(matches, reach) if len(matches) >= _TELLING_POINTS else None
    if pose is None:
        return len(matches), 0, np.inf, np.inf
    close = reprojection_errors(pose, matches) <= reach
    if np.count_nonzero(close) >= _TELLING_POINTS // 2:
        pose = refine(pose, matches.subset(close)).camera_from_map
    inliers = int(np.count_nonzero(reprojection_errors(pose, matches) <= reach))
    given = own.camera_from_map[image]
    away = float(np.median(np.linalg.norm(points_map - given.center, axis=1)))
    return len(matches), inliers, center_error(pose, given) / away, rotation_error_deg(pose, given)


def triangulate_at_poses(model: SfmModel, images_dir: Path, database: Path, folder: Path) -> None:
    """Write a COLMAP model with a model's poses and intrinsics, as they are, and points from a database's matches.

    Args:
        database: its images are those of the model, with the same intrinsics.
        folder: an empty one, for the COLMAP model.
    """
    import pycolmap

    poses = dict(zip(model.names, model.camera_from_map, strict=True))
    made = pycolmap.Reconstruction()
    with closing(pycolmap.Database.open(str(database))) as opened:
        for camera in opened.read_all_cameras():
            made.add_camera_with_trivial_rig(camera)
        for image in opened.read_all_images():
            bare = pycolmap.Image(name=image.name, camera_id=image.camera_id, image_id=image.image_id)
            made.add_image_with_trivial_frame(bare, pycolmap.Rigid3d(poses[image.name].matrix[:3]))
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed = 0
    made = pycolmap.triangulate_points(made, str(database), str(images_dir), str(folder), options=options)
    if made.num_points3D() == 0:
        raise RelocError(
            f"no match between the images in '{images_dir}' meets in a point at the poses of the given model, so they "
            "or its intrinsics are not those of these images; leave --model out to have poses found, too"
        )


def place_in_model(
    folder: Path, database: Path, groups: Sequence[Group]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Place further images of a database in a COLMAP model of some of them, whose poses, points and cameras stay.

    Args:
        groups: the images to place.

    Returns:
        Names of those that found a place, and of those that were not tried: nothing tells their intrinsics.
    """
    import pycolmap

    is_known = {name: group.camera is not None for group in groups for name in group.names}
    made = pycolmap.Reconstruction(str(folder))
    found_cameras = {image.camera_id for image in made.images.values()}
    with closing(pycolmap.Database.open(str(database))) as opened:
        cache = pycolmap.DatabaseCache.create(opened, pycolmap.DatabaseCacheOptions())
    mapper = pycolmap.IncrementalMapper(cache)
    mapper.begin_reconstruction(made)
    options = pycolmap.IncrementalMapperOptions()
    options.random_seed = 0
    options.abs_pose_refine_focal_length = options.abs_pose_refine_extra_params = False
    waiting = sorted(
        (image for image in made.images.values() if image.name in is_known), key=lambda image: image.name
    )
    placed, unknown = [], []
    for image in waiting:
        if image.camera_id not in found_cameras and not is_known[image.name]:
            unknown.append(image.name)
        elif mapper.register_next_image(options, image.image_id):
            placed.append(image.name)
    mapper.end_reconstruction(False)
    made.write_binary(str(folder))
    return tuple(placed), tuple(unknown)
