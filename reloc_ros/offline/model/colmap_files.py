"""Read a COLMAP model, text or binary, as COLMAP itself reads it, and say what of it cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.camera_files import read_colmap_cameras
from reloc_ros.offline.model.colmap_records import (
    NO_POINT,
    NO_POINT_UNSIGNED,
    ColmapImage,
    ColmapPoints,
    read_frame_poses,
    read_images,
    read_points,
)
from reloc_ros.offline.model.sfm import SfmModel

MIN_TRACK_IMAGES = 2
"""A point that fewer images see is nowhere on its ray."""
MAX_MEDIAN_SHARE = 0.1
"""Of an image's width: farther off than any lens that was left out puts half of what is seen."""
_NO_POINTS = ColmapPoints(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
_POSES, _POINTS = ("cameras", "images"), "points3D"
_RETRIANGULATE = "reloc map --retriangulate finds points anew from its images and poses"

Tell = Callable[[str], None]
"""Takes a sentence that the user should read."""


def read_colmap(path: str | Path, tell: Tell = lambda sentence: None, with_points: bool = True) -> SfmModel:
    """Read a COLMAP model, text or binary.

    Observations without a point that both they and another image can have seen are left out.

    Args:
        path: the folder with cameras.bin and its like, or one above it (the one with `sparse/0`).
        tell: is told what the model contradicts itself in, and what of it was left out.
        with_points: without, cameras, images and poses alone are read, and the model has no points.
    """
    folder = _find_model(Path(path))
    suffix = _find_suffix(folder, with_points)
    images = sorted(read_images(folder / f"images{suffix}"), key=lambda image: image.name)
    cameras = read_colmap_cameras(folder / f"cameras{suffix}", {image.camera_id for image in images})
    points = read_points(folder / f"{_POINTS}{suffix}") if with_points else _NO_POINTS
    if with_points and images and len(points.ids) == 0:
        raise RelocError(f"COLMAP model '{folder}' has no points; {_RETRIANGULATE}")
    _check_images(folder, suffix, images, cameras, tell)
    poses = _poses(folder, suffix, images, tell)
    point, image, px = _observations(images, points.ids, f"{_POINTS}{suffix}", tell if with_points else None)
    model = SfmModel(
        cameras=cameras,
        names=tuple(image.name for image in images),
        camera_ids=np.array([image.camera_id for image in images], dtype=np.int64),
        camera_from_map=poses,
        points_map=points.positions_map,
        point_ids=points.ids,
        colors=points.colors,
        errors_px=np.zeros(len(points.ids)),
        observation_point=point,
        observation_image=image,
        observation_px=px,
    )
    return _usable(model, folder, tell) if with_points else model


def _find_model(path: Path) -> Path:
    if not path.is_dir():
        raise RelocError(f"there is no COLMAP model folder '{path}'")
    if _is_model(path):
        return path
    for parent in (path / "sparse", path):
        models = sorted(child for child in parent.iterdir() if _is_model(child)) if parent.is_dir() else []
        if _is_model(parent):
            return parent
        if len(models) > 1:
            listed = ", ".join(str(model) for model in models)
            raise RelocError(f"'{path}' holds several COLMAP models; name one of {listed}")
        if models:
            return models[0]
    raise RelocError(f"'{path}' is not a COLMAP model: it has no cameras.bin or cameras.txt")


def _is_model(folder: Path) -> bool:
    return any((folder / f"cameras{suffix}").is_file() for suffix in (".bin", ".txt"))


def _find_suffix(folder: Path, with_points: bool) -> str:
    """Binary or else text, whichever is whole: COLMAP mixes none."""
    for stems in ((*_POSES, _POINTS), *(() if with_points else (_POSES,))):
        for suffix in (".bin", ".txt"):
            if all((folder / f"{stem}{suffix}").is_file() for stem in stems):
                return suffix
    for stem in (*_POSES, _POINTS):
        if not any((folder / f"{stem}{suffix}").is_file() for suffix in (".bin", ".txt")):
            raise RelocError(f"'{folder}' is not a COLMAP model: it has no {stem}.bin or {stem}.txt")
    raise RelocError(
        f"'{folder}' holds no whole COLMAP model, binary or text: cameras, images and points3D must all be .bin or "
        f"all be .txt, and it lacks {', '.join(_lacking(folder))}; export it again"
    )


def _lacking(folder: Path) -> list[str]:
    files = [f"{stem}{suffix}" for suffix in (".bin", ".txt") for stem in (*_POSES, _POINTS)]
    return [file for file in files if not (folder / file).is_file()]


def _check_images(
    folder: Path, suffix: str, images: Sequence[ColmapImage], cameras: dict[int, Camera], tell: Tell
) -> None:
    if not images:
        raise RelocError(f"COLMAP model '{folder}' has no images")
    for image in images:
        if image.camera_id not in cameras:
            raise RelocError(
                f"COLMAP model '{folder}' lacks camera {image.camera_id} of image '{image.name}'"
            )
    outside = [
        image.name for image in images if Path(image.name).is_absolute() or ".." in Path(image.name).parts
    ]
    if outside:
        raise RelocError(
            f"COLMAP model '{folder}' names an image outside of any folder of images, '{outside[0]}'; names are to be "
            "relative to that folder"
        )
    counts = Counter(image.name for image in images)
    doubled = sorted(name for name, count in counts.items() if count > 1)
    if doubled:
        raise RelocError(
            f"in COLMAP model '{folder}' {sum(counts[name] for name in doubled)} of its images have a name in common, "
            f"as '{doubled[0]}'; give the images names of their own, without spaces: COLMAP ends a name in images.txt "
            "at the first space"
        )
    spaced = sum(" " in image.name for image in images)
    if spaced and suffix == ".txt":
        tell(
            f"{spaced} names in '{folder / 'images.txt'}' have spaces and are read whole, where COLMAP itself ends "
            "a name at its first space"
        )


def _poses(folder: Path, suffix: str, images: Sequence[ColmapImage], tell: Tell) -> tuple[SE3, ...]:
    """Of each image, from rigs and frames where there are any: COLMAP does not look at the images' own then."""
    files = [folder / f"{stem}{suffix}" for stem in ("rigs", "frames")]
    found = [file for file in files if file.is_file()]
    if not found:
        return tuple(image.camera_from_map for image in images)
    if len(found) == 1:
        (missing,) = set(files) - set(found)
        raise RelocError(
            f"COLMAP model '{folder}' has {found[0].name} without {missing.name}; export it again, or remove "
            f"{found[0].name} for the poses in images{suffix}"
        )
    poses = read_frame_poses(*files)
    nowhere = [image.name for image in images if image.image_id not in poses]
    if nowhere:
        raise RelocError(
            f"COLMAP model '{folder}' has {len(nowhere)} images in none of the frames in {files[1].name}, the first "
            f"is '{nowhere[0]}'; export it again, or remove rigs{suffix} and frames{suffix} for the poses in "
            f"images{suffix}"
        )
    taken = tuple(poses[image.image_id] for image in images)
    moved = sum(
        not np.allclose(pose.matrix, image.camera_from_map.matrix, rtol=1e-6, atol=1e-6)
        for pose, image in zip(taken, images, strict=True)
    )
    if moved:
        tell(
            f"{moved} of {len(images)} images have another pose in {files[1].name} than in images{suffix}; that of "
            f"{files[1].name} is taken, as COLMAP does: remove rigs{suffix} and frames{suffix} if a tool that does not "
            f"know them changed images{suffix}"
        )
    return taken


def _observations(
    images: Sequence[ColmapImage], point_ids: NDArray[np.int64], points_file: str, tell: Tell | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """All observations as (point index, image index, pixel), in point order."""
    seen_ids = np.concatenate([image.point_ids for image in images])
    image_index = np.repeat(np.arange(len(images)), [len(image.point_ids) for image in images])
    pixels = np.concatenate([image.keypoints_px for image in images])
    found = np.isin(seen_ids, point_ids)
    claimed = seen_ids != NO_POINT
    unsigned = int(np.count_nonzero((seen_ids == NO_POINT_UNSIGNED) & ~found))
    lacking = int(np.count_nonzero(claimed & ~found)) - unsigned
    if tell and unsigned:
        tell(f"{unsigned} keypoints have -1 written unsigned for a point, and are taken to have none")
    if tell and lacking:
        tell(
            f"{lacking} of {np.count_nonzero(claimed) - unsigned} observations are of points that {points_file} does "
            "not hold, and left out"
        )
    seen_ids, image_index, pixels = seen_ids[found], image_index[found], pixels[found]
    point_index = np.searchsorted(point_ids, seen_ids)
    order = np.lexsort([image_index, point_index])
    return point_index[order].astype(np.int32), image_index[order].astype(np.int32), pixels[order]


def _refuse_foreign_poses(model: SfmModel, errors_px: NDArray[np.float64], folder: Path) -> None:
    """Moved apart, or in another convention: such a model is worse than none."""
    widths = model.image_sizes[model.observation_image, 0]
    if len(widths) and np.median(errors_px / widths) > MAX_MEDIAN_SHARE:
        raise RelocError(
            f"in COLMAP model '{folder}' most points are not where the images saw them, by more than "
            f"{100 * MAX_MEDIAN_SHARE:.0f} % of the images' width: its poses (those of frames, if it has any), "
            "points and intrinsics do not belong together; poses are camera from world, quaternions begin with w"
        )


def _usable(model: SfmModel, folder: Path, tell: Tell) -> SfmModel:
    """The points that images can have seen, by what two of them at least saw of each."""
    errors_px = model.observed_rays.errors_px(model.points_map)
    _refuse_foreign_poses(model, errors_px, folder)
    can_be_seen = errors_px < model.image_sizes[model.observation_image, 0]
    behind = int(np.count_nonzero(~can_be_seen))
    if behind:
        tell(
            f"{behind} of {len(can_be_seen)} observations are of points behind their camera or an image's width "
            "from where they were seen, and left out"
        )
    model = model.keep_observations(can_be_seen)
    pairs = np.unique(np.column_stack([model.observation_point, model.observation_image]), axis=0)
    kept = np.bincount(pairs[:, 0], minlength=len(model.points_map)) >= MIN_TRACK_IMAGES
    if not kept.any():
        raise RelocError(
            f"COLMAP model '{folder}' has {len(kept)} points, but none that two of its images see, as exports without "
            f"tracks and networks that reconstruct in one go write them; {_RETRIANGULATE}"
        )
    if not kept.all():
        tell(
            f"{np.count_nonzero(~kept)} of {len(kept)} points are seen by fewer than two images, and left out; if "
            f"too few remain, {_RETRIANGULATE}"
        )
    model = model.keep_points(kept)
    return replace(model, errors_px=model.observed_rays.mean_errors_px(model.points_map))
