"""Points for images whose poses are known, and poses for images that a finished map was made without."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from reloc_ros.errors import RelocError
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.sources.gather import Group


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
