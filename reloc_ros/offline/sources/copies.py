"""Images that show the same as others, in another size or format, and what lies beside photographs in a dataset."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.exif import photo_kind, read_exif
from reloc_ros.offline.sources.photographs import PhotoFolder, read_photo
from reloc_ros.offline.workspace import fingerprint

NEAR_COPY = 0.998
"""Correlation of thumbnails. Copies of a quarter of the size in poor JPEG have 0.9996 and more, the nearest frames that
are taken from a video 0.98, tuned on a rendered room and on photographs."""
SAME_NAMES = 0.95
"""Where the names are the same, too: undistorted or cropped a little."""
_WIDTH, _HEIGHT = 32, 24
_SAMPLES = 3
_AT_ONCE = 512
"""Pictures that are compared with all."""
_FEW_VALUES = 16
"""A picture of fewer grey levels was painted, not photographed."""
_OTHER_FOLDERS = {
    "depth": re.compile(r"(^|[._ -])(depths?|disparity|disparities)($|[._ -])", re.IGNORECASE),
    "masks": re.compile(
        r"(^|[._ -])(masks?|segmentations?|semantics?|instances?|labels?)($|[._ -])", re.IGNORECASE
    ),
}
_OTHER_FILES = {
    "depth": re.compile(r"[._ -]depth\.png$", re.IGNORECASE),
    "masks": re.compile(r"[._ -]mask\.png$", re.IGNORECASE),
}
_DEEP_GREY = ("I", "F", "I;16", "I;16B", "I;16L")


def near_copies(images_dir: Path, names: Sequence[str], progress: Progress = silent) -> list[tuple[str, ...]]:
    """Which images show the very same picture, in groups of two and more; damaged ones are like no other."""
    thumbnails = np.zeros((len(names), _WIDTH * _HEIGHT), np.float32)
    for row, name in enumerate(names):
        thumbnails[row] = _thumbnail(images_dir / name)
        progress("compare images", row + 1, len(names))
    groups: dict[int, list[str]] = defaultdict(list)
    for row, name in zip(_first_alike(thumbnails).tolist(), names, strict=True):
        groups[row].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def copies_among(pictures: Iterable[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """(N,) for each picture, (H, W, 3) in BGR, the first that shows the very same: itself where it is no copy."""
    return _first_alike(np.array([_normalized(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY)) for one in pictures]))


def _first_alike(thumbnails: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N,) the first of the group that each belongs to; likeness is handed on."""
    count = len(thumbnails)
    pairs = [np.zeros((0, 2), np.int64)]
    for start in range(0, count, _AT_ONCE):
        like = thumbnails[start : start + _AT_ONCE] @ thumbnails.T >= NEAR_COPY
        pairs.append(np.argwhere(like) + np.array([start, 0]))
    rows, columns = np.concatenate(pairs).T
    graph = coo_array((np.ones(len(rows), np.bool_), (rows, columns)), shape=(count, count))
    _, first, group = np.unique(connected_components(graph)[1], return_index=True, return_inverse=True)
    return first[group]


def kept_near_copies(
    kept: Path, images: Sequence[tuple[str, int, int]], images_dir: Path, progress: Progress = silent
) -> list[tuple[str, ...]]:
    """`near_copies`, looked for once and kept in a file for the same images.

    Args:
        images: name, bytes and time of change of each.
    """
    made_from = fingerprint({"images": images, "rule": [NEAR_COPY, _WIDTH, _HEIGHT]})
    try:
        contents = read_json(kept)
        if contents["made_from"] == made_from:
            return [tuple(group) for group in contents["groups"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # absent or not ours: they are compared anew
    groups = near_copies(images_dir, [name for name, *_ in images], progress)
    write_json(kept, {"made_from": made_from, "groups": groups})
    return groups


def _thumbnail(file: Path) -> NDArray[np.float32]:
    """(W * H,) grey levels of mean 0 and norm 1; all 0 for a blank or damaged image."""
    grey = None
    if photo_kind(file) == "JPEG":  # which OpenCV decodes at an eighth of the size in a quarter of the time
        grey = cv2.imread(str(file), cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION)
    if grey is None or grey.shape[1] < 2 * _WIDTH or grey.shape[0] < 2 * _HEIGHT:
        try:
            grey = cv2.cvtColor(read_photo(file), cv2.COLOR_BGR2GRAY)
        except RelocError:
            return np.zeros(_WIDTH * _HEIGHT, np.float32)
    return _normalized(grey)


def _normalized(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = cv2.resize(grey, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return small / max(1e-6, float(np.linalg.norm(small)))


def refuse_dataset(photos: PhotoFolder) -> None:
    """Refuse a folder that holds photographs and copies of them, depth images or masks: one sentence names all."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in photos.names:
        groups[str(PurePosixPath(name).parent), _kind(photos.path, name)].append(name)
    if len(groups) == 1:
        return
    painted = [key for key, names in groups.items() if not key[1] and _is_painted(photos.path, names)]
    if len(painted) < sum(not kind for _, kind in groups):
        for key in painted:
            groups[key[0], "masks"] += groups.pop(key)
    photographs = {folder: names for (folder, kind), names in groups.items() if not kind}
    found = [f"{kind} in {_told(folder, names)}" for (folder, kind), names in groups.items() if kind]
    by_size = sorted(photographs, key=lambda folder: (-_pixels(photos.path / photographs[folder][0]), folder))
    originals: list[str] = []
    for folder in by_size:
        names = photographs[folder]
        like = next((one for one in originals if _are_alike(photos.path, photographs[one], names)), None)
        if like is None:
            originals.append(folder)
        else:
            found.append(f"in {_told(folder, names)} what {like} shows under the same names")
    if not found or not photographs:
        return
    listed = ", ".join(_told(folder, photographs[folder]) for folder in originals)
    given = ", ".join(f"'{photos.path / folder}'" for folder in originals)
    raise RelocError(
        f"'{photos.path}' holds more than photographs ({listed}): {', '.join(found)}; give the photographs alone, "
        f"{given}; pictures of another camera are a source of their own"
    )


def _kind(root: Path, name: str) -> str:
    """What an image is that is no photograph, by the names of its folders and its own, or by its pixels' type."""
    for kind, words in _OTHER_FOLDERS.items():
        parts = PurePosixPath(name).parent.parts
        if any(words.search(part) for part in parts) or _OTHER_FILES[kind].search(name):
            return kind
    noted = read_exif(root / name) if name.lower().endswith((".png", ".tif", ".tiff", ".pgm")) else None
    return "depth" if noted is not None and noted.mode in _DEEP_GREY else ""


def _is_painted(root: Path, names: Sequence[str]) -> bool:
    try:
        return all(len(np.unique(read_photo(root / name))) < _FEW_VALUES for name in _some(names))
    except RelocError:
        return False


def _are_alike(root: Path, names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether most of the others have the name of one of the images, and look like it."""
    by_stem = {PurePosixPath(name).stem: name for name in names}
    both = [(by_stem[stem], other) for other in others if (stem := PurePosixPath(other).stem) in by_stem]
    if 2 * len(both) < len(others):
        return False
    pairs = [(_thumbnail(root / one), _thumbnail(root / other)) for one, other in _some(both)]
    return all(float(one @ other) >= SAME_NAMES for one, other in pairs)


def _some(items: Sequence) -> list:
    return [items[i] for i in sorted({0, len(items) // 2, len(items) - 1})][:_SAMPLES]


def _pixels(file: Path) -> int:
    noted = read_exif(file)
    return 0 if noted is None else noted.size[0] * noted.size[1]


def _told(folder: str, names: Sequence[str]) -> str:
    return f"{'itself' if folder == '.' else folder} ({len(names)})"
