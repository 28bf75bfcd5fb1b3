"""From matches to models by COLMAP's incremental or global mapper, the parts in order of their size."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.offline.model.colmap_records import read_images
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.sources.gather import Group

MAPPERS = ("incremental", "global")
MIN_IMAGES = 3
"""A model of two images has nothing that checks it."""
MIN_REGISTERED_SHARE = 0.25
"""With fewer the model is a fragment of the place, and everything after would be wasted on it."""

ASSUMED_FOCAL_SHARE = 0.85
"""Of the longer side, where nothing tells the focal length: that of most telephones and webcams, within a fifth."""
_FOCAL_SHARES = (0.35, 4.0)
"""Of the longer side, between 110 and 14 degrees wide: a focal length beyond is one that ran away."""
_MOST_PARTS_TOLD = 5
"""Of the separate parts of a map, in a sentence about them."""

Part = tuple[str, ...]
"""Names of the images that were placed against each other."""


@dataclass(frozen=True)
class Made:
    """What a mapper made: the parts that the images fell into, the largest first, each with its model's folder."""

    parts: tuple[Part, ...]
    folders: tuple[Path, ...]


def run_mapper(
    images_dir: Path,
    groups: Sequence[Group],
    database: Path,
    scratch: Path,
    mapper: str,
    progress: Progress,
    assumes_lens: bool = False,
) -> Made:
    """Make models of what a database matched, in folders of `scratch`.

    Args:
        assumes_lens: intrinsics that nothing tells are assumed, all are held, and the incremental mapper may begin with
            two images that look along the camera's motion, which fix no focal length.
    """
    images = sum(len(group.names) for group in groups)
    scratch.mkdir(parents=True)
    progress("reconstruct", 0, images)
    if mapper == "global":
        _map_globally(images_dir, groups, scratch, database)
    else:
        _map_incrementally(images_dir, groups, scratch, database, assumes_lens, progress)
    progress("reconstruct", images, images)
    files = sorted(scratch.glob("*/images.bin"))
    found = [(tuple(sorted(image.name for image in read_images(file))), file.parent) for file in files]
    found.sort(key=lambda part: (-len(part[0]), part[0]))
    # COLMAP's further models take up images of the first one, which says nothing about the place.
    placed: set[str] = set()
    kept = []
    for names, folder in found:
        if not placed >= set(names):
            kept.append((names, folder))
            placed |= set(names)
    return Made(tuple(names for names, _ in kept), tuple(folder for _, folder in kept))


def describe_parts(parts: Sequence[Part], images: int) -> str:
    """How many images are in which part, in words."""
    listed = "; ".join(
        f"{len(part)} from '{part[0]}' to '{part[-1]}'" for part in parts[:_MOST_PARTS_TOLD]
    ) + (f"; and {len(parts) - _MOST_PARTS_TOLD} smaller ones" if len(parts) > _MOST_PARTS_TOLD else "")
    nowhere = images - len({name for part in parts for name in part})
    return f"{len(parts)} separate parts ({listed})" + (f", with {nowhere} images in none" if nowhere else "")


def refuse_fragments(images_dir: Path, parts: Sequence[Part], images: int) -> None:
    if not parts:
        raise RelocError(
            f"no two of the {images} images in '{images_dir}' could be placed against each other; take them with "
            "more overlap, more texture in view, and the camera moving sideways, not only turning"
        )
    if len(parts[0]) >= max(MIN_IMAGES, MIN_REGISTERED_SHARE * images):
        return
    fell = f"; they fell into {describe_parts(parts, images)}" if len(parts) > 1 else ""
    raise RelocError(
        f"only {len(parts[0])} of the {images} images in '{images_dir}' could be placed in one model{fell}; "
        "take them with more overlap between neighbours"
    )


def runaway_focal_shares(model: SfmModel) -> list[float]:
    """The focal lengths, as shares of the images' longer side, that hardly any camera has."""
    shares = [camera.fx / max(camera.width, camera.height) for camera in model.cameras.values()]
    return [share for share in shares if not _FOCAL_SHARES[0] <= share <= _FOCAL_SHARES[1]]


def _known_cameras(database: Path, groups: Sequence[Group]) -> set[int]:
    """Ids of the cameras whose intrinsics are to stay."""
    import pycolmap

    known = {name for group in groups if group.camera is not None for name in group.names}
    with pycolmap.Database.open(str(database)) as opened:
        return {image.camera_id for image in opened.read_all_images() if image.name in known}


def _map_incrementally(
    images_dir: Path,
    groups: Sequence[Group],
    scratch: Path,
    database: Path,
    assumes_lens: bool,
    progress: Progress,
) -> None:
    import pycolmap

    images, registered = sum(len(group.names) for group in groups), 0

    def count_image() -> None:
        nonlocal registered
        registered += 1
        progress("reconstruct", min(registered, images), images)

    pipeline = pycolmap.IncrementalPipelineOptions()
    pipeline.min_model_size = MIN_IMAGES
    pipeline.random_seed = 0
    # Adjusting all after every tenth image more, in up to five rounds, took most of the time and changed nothing that
    # can be seen: on the rendered walks 0.45 of the time, the same images and error to three digits.
    pipeline.ba_global_frames_ratio = pipeline.ba_global_points_ratio = 1.4
    pipeline.ba_global_max_refinements, pipeline.ba_local_max_refinements = 2, 1
    pipeline.max_model_overlap = 1
    pipeline.constant_cameras = _known_cameras(database, groups)
    if assumes_lens:
        database = _with_assumed_lenses(database, scratch / "assumed.db")
        pipeline.mapper.init_max_forward_motion, pipeline.mapper.init_min_tri_angle = 1.0, 4.0
    if assumes_lens or all(group.camera is not None for group in groups):
        pipeline.ba_refine_focal_length = pipeline.ba_refine_extra_params = False
        pipeline.mapper.abs_pose_refine_focal_length = pipeline.mapper.abs_pose_refine_extra_params = False
    pycolmap.incremental_mapping(
        str(database), str(images_dir), str(scratch), options=pipeline, next_image_callback=count_image
    )


def _with_assumed_lenses(database: Path, copy: Path) -> Path:
    """A copy of a database whose cameras all have a focal length to rely on."""
    import pycolmap

    shutil.copyfile(database, copy)
    with closing(pycolmap.Database.open(str(copy))) as opened:
        for camera in opened.read_all_cameras():
            if not camera.has_prior_focal_length:
                params = np.array(camera.params)
                params[camera.focal_length_idxs()] = ASSUMED_FOCAL_SHARE * max(camera.width, camera.height)
                # Without the mark COLMAP finds a focal length of its own, whatever is to be refined.
                camera.params, camera.has_prior_focal_length = params, True
                opened.update_camera(camera)
    return copy


def _map_globally(images_dir: Path, groups: Sequence[Group], scratch: Path, database: Path) -> None:
    """In a process of its own, since it cannot be stopped otherwise before it has finished."""
    known = [group.camera is not None for group in groups]
    if any(known) and not all(known):
        raise RelocError(
            "the global mapper can keep the intrinsics of all sources or of none; use --mapper incremental"
        )
    command = [sys.executable, "-c", _GLOBAL, str(database), str(images_dir), str(scratch), str(all(known))]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RelocError(f"COLMAP's global mapper failed ({said}); use --mapper incremental")


_GLOBAL = """
import sys
import pycolmap

database, images, scratch, known = sys.argv[1:]
pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR)
options = pycolmap.GlobalPipelineOptions()
options.random_seed = options.mapper.random_seed = 0
options.mapper.rotation_averaging.random_seed = options.mapper.global_positioning.random_seed = 0
adjustment = options.mapper.bundle_adjustment
adjustment.refine_focal_length = adjustment.refine_extra_params = known != "True"
pycolmap.global_mapping(database, images, scratch, options)
"""
