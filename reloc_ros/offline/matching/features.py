"""Features of images and matches between them, by pycolmap, in a COLMAP database that survives interruption."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path
from reloc_ros.io.camera_files import COLMAP_HALF_PIXEL, colmap_from_camera
from reloc_ros.offline.matching.learned import MAX_DISTANCE, MAX_RATIO, add_learned_features
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.sources.gather import Group
from reloc_ros.offline.sources.photographs import read_photo

_BLOCK = 200
"""So many pairs are matched between two writes; they are what an interruption costs."""
_WATCH_PERIOD_S = 0.5
"""Between two looks at how far pycolmap is."""
_SPACE = "\x1f"
"""COLMAP's list of pairs is parted by spaces, which names may have, too; there they are called so meanwhile."""
_Lens = tuple[str, int, int]
"""A group's label and the size of its images: these share one camera."""


def silence_colmap() -> None:
    """COLMAP logs each image to stderr, through the progress bar."""
    import pycolmap

    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR)


def extract_features(
    images_dir: Path,
    groups: Sequence[Group],
    database: Path,
    camera_model: str,
    max_image_size: int,
    max_features: int,
    progress: Progress,
    features: str = "sift",
) -> None:
    """Find the features of those images that the database lacks; images of a group and size share a camera.

    Args:
        features: one of `FEATURES`.
    """
    import pycolmap

    count = sum(len(group.names) for group in groups)
    done, camera_ids = _extracted(database, groups)
    by_lens: dict[_Lens, list[str]] = {}
    read = 0
    for group in groups:
        for name in group.names:
            read += 1
            progress("read images", read, count)
            if name not in done:
                height, width = read_photo(images_dir / name).shape[:2]
                _check_known_camera(images_dir / name, width, height, group.camera)
                by_lens.setdefault((group.label, width, height), []).append(name)
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.max_image_size = max_image_size
    extraction.sift.max_num_features = max_features
    known = {group.label: group.camera for group in groups}
    is_sift = features == "sift"
    watch = _watch(database, pycolmap.Database.num_images, count, "extract features", progress)
    with watch if is_sift else nullcontext():
        for lens, names in by_lens.items():
            images = {"image_names": names, "camera_mode": pycolmap.CameraMode.SINGLE}
            reader = _reader_options(camera_model, known[lens[0]], camera_ids.get(lens))
            if is_sift:
                pycolmap.extract_features(
                    str(database),
                    str(images_dir),
                    **images,
                    reader_options=reader,
                    extraction_options=extraction,
                    device=pycolmap.Device.cpu,
                )
            else:
                pycolmap.import_images(str(database), str(images_dir), **images, options=reader)
    if not is_sift:
        add_learned_features(database, images_dir, max_image_size, max_features, progress)


def _extracted(database: Path, groups: Sequence[Group]) -> tuple[set[str], dict[_Lens, int]]:
    """The names of the images that are done, and the cameras they were given."""
    import pycolmap

    _rename(database, _SPACE, " ")  # matching was interrupted
    label_of = {name: group.label for group in groups for name in group.names}
    with closing(pycolmap.Database.open(str(database))) as opened:
        cameras = {camera.camera_id: camera for camera in opened.read_all_cameras()}
        images = opened.read_all_images()
    camera_ids = {}
    for image in images:
        camera = cameras[image.camera_id]
        camera_ids[label_of[image.name], camera.width, camera.height] = image.camera_id
    return {image.name for image in images}, camera_ids


def _check_known_camera(file: Path, width: int, height: int, camera: Camera | None) -> None:
    if camera is not None and (camera.width, camera.height) != (width, height):
        raise RelocError(
            f"image '{file}' is {width}x{height}, the given camera takes {camera.width}x{camera.height}; give "
            "intrinsics for this size, or leave them to be found"
        )


def _reader_options(camera_model: str, camera: Camera | None, existing_camera_id: int | None):
    import pycolmap

    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = camera_model
    if camera is not None:
        reader.camera_model, params = colmap_from_camera(camera)
        reader.camera_params = ",".join(map(repr, params))
    if existing_camera_id is not None:  # the run was interrupted after its first image
        reader.existing_camera_id = existing_camera_id
    return reader


def match_pairs(
    database: Path, pairs: Sequence[tuple[str, str]], progress: Progress, features: str = "sift"
) -> None:
    """Match and verify those of the pairs that the database lacks, whose features are one of `FEATURES`."""
    import pycolmap

    listed = database.with_name("pairs.txt")
    with atomic_path(listed) as temporary:
        lines = (f"{one.replace(' ', _SPACE)} {other.replace(' ', _SPACE)}\n" for one, other in pairs)
        temporary.write_text("".join(lines), encoding="utf-8")
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path, pairing.block_size = str(listed), _BLOCK
    matching = pycolmap.FeatureMatchingOptions()
    if features == "xfeat":
        matching.sift.max_ratio, matching.sift.max_distance = MAX_RATIO, MAX_DISTANCE
    _rename(database, " ", _SPACE)
    with _watch(database, pycolmap.Database.num_matched_image_pairs, len(pairs), "match images", progress):
        pycolmap.match_image_pairs(
            str(database), matching_options=matching, pairing_options=pairing, device=pycolmap.Device.cpu
        )
    _rename(database, _SPACE, " ")


@dataclass(frozen=True, eq=False)
class VerifiedPair:
    """Two images and the M matches between them that two-view geometry confirmed."""

    names: tuple[str, str]
    first_px: NDArray[np.float64]
    """(M, 2) where they are in the first image."""
    second_px: NDArray[np.float64]
    """(M, 2) where they are in the second one."""


def verified_pairs(database: Path) -> list[VerifiedPair]:
    """The pairs of images in a COLMAP database that share a two-view geometry."""
    import pycolmap

    with closing(pycolmap.Database.open(str(database))) as opened:
        names = {image.image_id: image.name for image in opened.read_all_images()}
        keypoints_px = {
            image: np.asarray(opened.read_keypoints(image), np.float64)[:, :2] - COLMAP_HALF_PIXEL
            for image in names
        }
        found = []
        for pair_id, geometry in zip(*opened.read_two_view_geometries(), strict=True):
            first, second = pycolmap.pair_id_to_image_pair(pair_id)
            matches = np.asarray(geometry.inlier_matches).reshape(-1, 2)
            if len(matches):
                px = keypoints_px[first][matches[:, 0]], keypoints_px[second][matches[:, 1]]
                found.append(VerifiedPair((names[first], names[second]), *px))
    return found


def _rename(database: Path, old: str, new: str) -> None:
    """Replace a character in the names of the database's images."""
    import pycolmap

    with closing(pycolmap.Database.open(str(database))) as opened:
        for image in opened.read_all_images():
            if old in image.name:
                image.name = image.name.replace(old, new)
                opened.update_image(image)


@contextmanager
def _watch(
    database: Path, count: Callable[[Any], int], total: int, phase: str, progress: Progress
) -> Iterator[None]:
    """Report the `count` of the database while pycolmap, which has no callback for these phases, fills it.

    Read through pycolmap: Python's sqlite3 is another copy of SQLite, and two copies in one process break
    each other's locks on a file (sqlite.org/howtocorrupt.html, 2.2.1), which ends in a bus error.
    """
    import pycolmap

    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(_WATCH_PERIOD_S):
            progress(phase, min(count(opened), total), total)

    progress(phase, 0, total)
    with closing(pycolmap.Database.open(str(database))) as opened:
        thread = threading.Thread(target=watch, name=phase, daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join()
    progress(phase, total, total)
