"""Structure from motion: photographs in, a COLMAP model out, by pycolmap."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.offline.mapping.attempts import PARTS, find_model, read_found
from reloc_ros.offline.mapping.consistency import OddStep, are_too_many, measure_agreement
from reloc_ros.offline.mapping.mappers import MIN_IMAGES, Part
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.mapping.registration import relocate_each, triangulate_at_poses
from reloc_ros.offline.mapping.turning import refuse_turns
from reloc_ros.offline.matching.features import (
    extract_features,
    match_pairs,
    silence_colmap,
    verified_pairs,
)
from reloc_ros.offline.matching.learned import FEATURES
from reloc_ros.offline.matching.pairs import pairs_to_match
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.gather import Group
from reloc_ros.offline.workspace import fingerprint

_STAYED = (
    "points were found anew at the poses and intrinsics of the given model, which stay as they are; where they are not "
    "exact, leave --model out to have them found, too"
)


BYTES_A_FEATURE = 160
"""That a database takes: a descriptor, where it is, and what it is matched with."""
_CONFIRMING = SfmOptions(max_image_size=640, max_features=1500)
"""Enough to tell whether two images see the same: of the rendered walks' pairs all but the weakest keep 30 matches."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What came out."""

    model: SfmModel
    parts: tuple[Part, ...]
    """The separate pieces that COLMAP found, the largest first; `model` is of that one."""
    told: tuple[str, ...] = ()
    """Other ways that were tried, in sentences."""
    dropped: tuple[str, ...] = ()
    """Images that COLMAP placed against what their matches say; they are not in `model`."""
    is_folded: bool = False
    """Too many images contradict each other: what is left may lie upon its like."""
    lens_is_assumed: bool = False
    """The images do not tell their focal length."""
    features: str = "sift"
    """What it is made of; where it was given, what it was checked by."""
    odd_steps: tuple[OddStep, ...] = ()
    """Where the walk jumps in the model."""


def run_sfm(
    images_dir: str | Path,
    groups: Sequence[Group],
    sfm_dir: str | Path,
    options: SfmOptions | None = None,
    progress: Progress = silent,
    held_out: Set[str] = frozenset(),
) -> Reconstruction:
    """Reconstruct the place from photographs; the model is left in `sfm_dir`/sparse/0, too.

    It may be interrupted at any time: features and matches found so far are kept in `sfm_dir`, in a database of
    `FEATURES` each, and a finished model is not made again. Other images or options start afresh, another mapper does
    not.

    Args:
        held_out: images that have no part in making the model, and are placed in it once it is finished.
    """
    images_dir, sfm_dir, options = Path(images_dir), Path(sfm_dir), options or SfmOptions()
    groups = as_asked(groups, options)
    mapped = _restricted(groups, lambda name: name not in held_out)
    count = sum(len(group.names) for group in mapped)
    if count < MIN_IMAGES:
        beside = " besides those held out" if held_out else ""
        raise RelocError(
            f"'{images_dir}' holds {count} images{beside}; a map needs {MIN_IMAGES} at the very least"
        )
    _start_or_resume(images_dir, groups, sfm_dir, options)
    sparse = sfm_dir / "sparse"

    def match(features: str) -> Path:
        asked = replace(options, features=features)
        database = find_matches(images_dir, groups, groups, sfm_dir, asked, progress)
        refuse_turns(images_dir, mapped, verified_pairs(database))
        return database

    if read_found(sparse, options.mapper, held_out) is None:
        kinds = list(FEATURES) if options.features == "sift" else [options.features]
        kept_apart = _restricted(groups, held_out.__contains__)
        find_model(images_dir, mapped, sparse, kinds, match, options.mapper, progress, kept_apart)
    found = read_found(sparse, options.mapper, held_out)
    database = sfm_dir / FEATURES[found.features]
    made = _agreeing(read_colmap(sparse / "0"), database, groups, found.parts, found.told)
    if made is None:
        raise RelocError(
            f"no {MIN_IMAGES} of the images in '{images_dir}' agree on a model by their matches; take them with more "
            "overlap, and with more than what repeats in view"
        )
    return replace(made, lens_is_assumed=found.lens_is_assumed, features=found.features)


def triangulate_given(
    images_dir: Path,
    groups: Sequence[Group],
    sfm_dir: Path,
    given: SfmModel,
    options: SfmOptions,
    progress: Progress = silent,
) -> Reconstruction:
    """Find points anew for a model's images, whose poses and intrinsics stay; resumed and left as by `run_sfm`.

    Args:
        groups: the images as they were taken, those of the model among them.
    """
    groups = _restricted(as_asked(groups, options), set(given.names).__contains__)
    database, sparse = _match_given(images_dir, groups, sfm_dir, given, options, progress), sfm_dir / "sparse"
    progress("triangulate", 0, 1)
    with atomic_path(sparse) as temporary:
        (temporary / "0").mkdir(parents=True)
        triangulate_at_poses(given, images_dir, database, temporary / "0")
        write_json(temporary / PARTS, {"features": options.features})
    progress("triangulate", 1, 1)
    made = _agreeing(read_colmap(sparse / "0"), database, groups, (given.names,), (_STAYED,))
    if made is None or made.is_folded:
        raise RelocError(
            "the matches between the images contradict the poses of the given model; leave --model out to have poses "
            "found, too"
        )
    return replace(made, features=options.features)


def confirm_given(
    images_dir: Path, groups: Sequence[Group], sfm_dir: Path, given: SfmModel, progress: Progress = silent
) -> Reconstruction:
    """Check a model that stays as it is by matches between its images, which are small and few but its own.

    Args:
        groups: the images as they were taken, those of the model among them.
    """
    groups = _restricted(groups, set(given.names).__contains__)
    database = _match_given(images_dir, groups, sfm_dir, given, _CONFIRMING, progress)
    made = _agreeing(given, database, groups, (given.names,), ())
    if made is None or made.is_folded:  # nothing tells which of its images to keep
        return Reconstruction(given, (given.names,), is_folded=True)
    return made


def _match_given(
    images_dir: Path,
    groups: Sequence[Group],
    sfm_dir: Path,
    given: SfmModel,
    options: SfmOptions,
    progress: Progress,
) -> Path:
    names = np.array(given.names)
    lenses = [
        Group(f"camera {key}", tuple(names[given.camera_ids == key].tolist()), False, camera)
        for key, camera in sorted(given.cameras.items())
    ]
    _start_or_resume(images_dir, lenses, sfm_dir, options)
    return find_matches(images_dir, lenses, groups, sfm_dir, options, progress)


def as_asked(groups: Sequence[Group], options: SfmOptions) -> list[Group]:
    """The groups with the order and intrinsics that the options say they have."""
    return [
        replace(
            group,
            in_sequence=group.in_sequence or options.matching == "sequential",
            camera=group.camera or options.camera,
        )
        for group in groups
    ]


def _restricted(groups: Sequence[Group], keep: Callable[[str], bool]) -> list[Group]:
    """Some of the images of each group; groups without any of them are left out."""
    kept = [replace(group, names=tuple(filter(keep, group.names))) for group in groups]
    return [group for group in kept if group.names]


def find_matches(
    images_dir: Path,
    lenses: Sequence[Group],
    groups: Sequence[Group],
    folder: Path,
    options: SfmOptions,
    progress: Progress,
    known: Set[str] = frozenset(),
) -> Path:
    """Fill the features' database in a folder with what it lacks; its path.

    Args:
        lenses: the images by what they were taken with: those of a size in one share their intrinsics.
        groups: the same images as they were taken, one after the other.
        known: images that are not to be matched with one another.
    """
    silence_colmap()
    database = folder / FEATURES[options.features]
    limits = options.max_image_size, options.max_features
    extract_features(images_dir, lenses, database, options.camera_model, *limits, progress, options.features)
    pairs = pairs_to_match(database, groups, options.matching, options.loops, progress)
    pairs = [pair for pair in pairs if not known.issuperset(pair)]
    match_pairs(database, pairs, progress, options.features)
    return database


def _agreeing(
    model: SfmModel,
    database: Path,
    groups: Sequence[Group],
    parts: tuple[Part, ...],
    told: tuple[str, ...],
) -> Reconstruction | None:
    """What the matches confirm of a model; None if that is next to nothing."""
    agreement = measure_agreement(model, verified_pairs(database), [group.names for group in groups])
    dropped = relocate_each(model).disagrees
    is_folded = agreement.is_folded or are_too_many(np.count_nonzero(dropped), len(dropped))
    dropped |= ~np.isin(np.arange(len(model.names)), agreement.kept)
    kept = model.without(dropped)
    if len(kept.points_map) == 0 or (dropped.any() and len(kept.names) < MIN_IMAGES):
        return None
    names = tuple(np.array(model.names)[dropped].tolist())
    steps = tuple(step for step in agreement.odd_steps if set(names).isdisjoint(step.names))
    return Reconstruction(kept, parts, told, names, bool(is_folded), odd_steps=steps)


def names_sizes_times(images_dir: Path, names: Sequence[str]) -> list[tuple[str, int, int]]:
    """What tells quickly whether images are still the same: name, bytes, and time of the last change in ns."""
    stats = [(name, (images_dir / name).stat()) for name in names]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _start_or_resume(images_dir: Path, groups: Sequence[Group], sfm_dir: Path, options: SfmOptions) -> None:
    images = names_sizes_times(images_dir, [name for group in groups for name in group.names])
    spent = (options.matching, options.loops, options.max_image_size, options.max_features)
    spent += () if options.features == SfmOptions.features else (options.features,)
    made_from = fingerprint(
        {"images": images, "groups": groups, "model": options.camera_model, "spent": spent}
    )
    note = sfm_dir / "made_from.txt"
    if note.is_file() and note.read_text() == made_from:
        for left in [*sfm_dir.glob("scratch-*"), *sfm_dir.glob(".new-*"), *sfm_dir.glob(".old-*")]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()  # by a run that was killed
        _refuse_little_room(sfm_dir, len(images), options)
        return
    if sfm_dir.exists():
        shutil.rmtree(sfm_dir)
    sfm_dir.mkdir(parents=True)
    _refuse_little_room(sfm_dir, len(images), options)
    with atomic_path(note) as temporary:
        temporary.write_text(made_from)


def _refuse_little_room(sfm_dir: Path, images: int, options: SfmOptions) -> None:
    """COLMAP does not say so where a disk is full: it ends the whole process, by a signal."""
    there = sum(file.stat().st_size for file in sfm_dir.glob("*.db"))
    needed, free = images * options.max_features * BYTES_A_FEATURE - there, shutil.disk_usage(sfm_dir).free
    if free < needed:
        raise RelocError(
            f"the features and matches of {images} images may need {needed / 1e6:.0f} MB more in '{sfm_dir}', but "
            f"{free / 1e6:.0f} MB are free; make room, or name a workspace on another disk"
        )
