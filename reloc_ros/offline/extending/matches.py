"""The matches of new images with those of a map and with each other, in a database that grows with the map."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from reloc_ros.io.atomic import atomic_path
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.mapping.reconstruct import find_matches
from reloc_ros.offline.matching.features import silence_colmap
from reloc_ros.offline.matching.learned import FEATURES
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.gather import Group


def match_with_map(
    images_dir: Path,
    known: SfmModel,
    groups: Sequence[Group],
    databases: Sequence[Path],
    folder: Path,
    options: SfmOptions,
    progress: Progress = silent,
) -> Path:
    """A database with the features of a map's images and of new ones, and the matches of these.

    Interrupted, it goes on where it was.

    Args:
        images_dir: of all images.
        known: the map; what new images are matched with.
        groups: the new images.
        databases: those that may hold the features of the map's images; if none does, they are found anew.
        folder: takes the database.
    """
    silence_colmap()
    database = folder / FEATURES[options.features]
    source = next((file for file in databases if _holds(file, known)), None)
    lenses = _lenses_of_model(known) if source is None else _lenses_of_database(source)
    folder.mkdir(parents=True, exist_ok=True)
    if source is not None and not database.exists():
        with atomic_path(database) as temporary:
            shutil.copyfile(source, temporary)
    # As of a map that is made at once, without the pairs that the map is made of already.
    every, made_of = [Group("", known.names, False), *groups], frozenset(known.names)
    return find_matches(images_dir, [*lenses, *groups], every, folder, options, progress, made_of)


def _holds(database: Path, known: SfmModel) -> bool:
    """Whether it has the images of a model, those of one of its cameras all of one in the model."""
    if not database.is_file():
        return False
    camera_of = _cameras(database)
    cameras = {
        (camera_of.get(name), key) for name, key in zip(known.names, known.camera_ids.tolist(), strict=True)
    }
    return None not in {used for used, _ in cameras} and len({used for used, _ in cameras}) == len(cameras)


def _cameras(database: Path) -> dict[str, int]:
    import pycolmap

    with closing(pycolmap.Database.open(str(database))) as opened:
        return {image.name: image.camera_id for image in opened.read_all_images()}


def _lenses_of_database(database: Path) -> list[Group]:
    by_camera = defaultdict(list)
    for name, camera_id in _cameras(database).items():
        by_camera[camera_id].append(name)
    return [Group(_label(key), tuple(sorted(names)), False) for key, names in sorted(by_camera.items())]


def _lenses_of_model(known: SfmModel) -> list[Group]:
    by_camera = defaultdict(list)
    for name, key in zip(known.names, known.camera_ids.tolist(), strict=True):
        by_camera[key].append(name)
    return [
        Group(_label(key), tuple(names), False, known.cameras[key])
        for key, names in sorted(by_camera.items())
    ]


def _label(camera_id: int) -> str:
    return f"/camera {camera_id}"  # which no folder is called
