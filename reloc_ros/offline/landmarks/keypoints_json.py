"""Labels as a `keypoints.json`: for each image, x, y and whether it is visible, of every landmark in their order.

`{"frame.png": [[x, y, visible], ...]}` with x and y in pixels, the centre of the top-left one being (0, 0), and visible
1 or 0. What the format has no word for is null: a landmark that may or may not be visible, and the position of one
that has none since it is behind the camera.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path
from reloc_ros.io.nested_text import read_json
from reloc_ros.offline.landmarks.labels import Labels, Visibility

MAX_OFF = 0.005
"""A position this share of the image's width away from the projection is of another landmark, image or map."""
MIN_OFF_PX = 2.0
"""Smaller differences are those of rounding."""
NOWHERE_PX = -1.0
"""Both coordinates, in a plain file, of a landmark that is behind the camera."""
_FLAGS = {1: Visibility.SEEN, 0: Visibility.HIDDEN, None: Visibility.UNKNOWN}  # True and False are 1 and 0


@dataclasses.dataclass(frozen=True, eq=False)
class Imported:
    """Labels from a file, and what it did not have or had too much."""

    labels: Labels
    missing: tuple[str, ...]
    """Map images that the file does not have: there, nothing is known of the landmarks in the image."""
    ignored: tuple[str, ...]
    """Images of the file that the map does not know, since they are held out or were not placed."""


def write_keypoints(path: Path, labels: Labels, plain: bool = False) -> None:
    """Write labels, atomically.

    Args:
        plain: numbers alone, for programs that know 1 and 0 only: what may or may not be visible is 0, and a landmark
            behind the camera is at (-1, -1).
    """
    if path.is_dir():
        raise RelocError(f"'{path}' is a folder; name the JSON file to write")
    lines = []
    for name, pixels, states in zip(labels.names, labels.keypoints_px, labels.visibility, strict=True):
        entry = [_row(pixel, int(state), plain) for pixel, state in zip(pixels, states, strict=True)]
        lines.append(f"{json.dumps(name)}: {json.dumps(entry)}")
    try:
        with atomic_path(path) as temporary:
            temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    except OSError as error:
        raise RelocError(f"cannot write '{path}': {error.strerror or error}") from error


def _row(pixel: NDArray[np.float32], state: int, plain: bool) -> list[float | None]:
    x, y = (round(float(value), 3) if np.isfinite(value) else None for value in pixel)
    visible = None if state == Visibility.UNKNOWN else int(state == Visibility.SEEN)
    if not plain:
        return [x, y, visible]
    return [NOWHERE_PX if value is None else value for value in (x, y)] + [visible or 0]


def read_keypoints(
    path: Path, unlabelled: Labels, widths_px: Sequence[int], left_out: frozenset[str] = frozenset()
) -> Imported:
    """Read the visibilities of a file's landmarks, which must be those of `unlabelled` in their order.

    Positions are not taken: a landmark is where the map projects it. They tell whether the file is of this map.

    Args:
        unlabelled: the projections, and HIDDEN where they are outside the image.
        widths_px: (I,) of the images.
        left_out: further images that the file may have.

    Raises:
        RelocError: the file is malformed, is of other images or landmarks, or contradicts the projections.
    """
    entries = _read(path)
    known = set(unlabelled.names)
    ignored = [name for name in entries if name not in known]
    strange = [name for name in ignored if name not in left_out]
    if strange:
        raise RelocError(f"'{path}' has an image '{strange[0]}' that the workspace does not know")
    if len(ignored) == len(entries):
        raise RelocError(
            f"'{path}' has none of the {len(known)} map images; export one to see how it must look"
        )
    states = unlabelled.visibility.copy()
    for index, name in enumerate(unlabelled.names):
        if name in entries:
            where = f"'{path}', image '{name}'"
            pixels, flags = _parse_entry(where, entries[name], states.shape[1])
            _check(where, pixels, flags, unlabelled, index, widths_px[index])
            inside = states[index] == Visibility.UNKNOWN
            states[index, inside] = flags[inside]
    missing = tuple(name for name in unlabelled.names if name not in entries)
    return Imported(dataclasses.replace(unlabelled, visibility=states), missing, tuple(ignored))


def _read(path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        name, count = Counter(name for name, _ in pairs).most_common(1)[0] if pairs else ("", 0)
        if count > 1:
            raise RelocError(f"'{path}' has '{name}' {count} times")
        return dict(pairs)

    try:
        entries = read_json(path, "utf-8-sig", object_pairs_hook=unique)
    except OSError as error:
        raise RelocError(f"cannot read '{path}': {error.strerror or error}") from error
    except ValueError as error:
        raise RelocError(f"'{path}' is not readable as JSON ({error})") from error
    if not isinstance(entries, dict) or not entries:
        raise RelocError(f"'{path}' must be of the form {{\"frame.png\": [[x, y, visible], ...]}}")
    return entries


def _parse_entry(where: str, entry: Any, count: int) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """(K, 2) positions, NaN for null, and (K,) states."""
    if not isinstance(entry, list) or len(entry) != count:
        found = f"{len(entry)} keypoints" if isinstance(entry, list) else "no list"
        raise RelocError(
            f"{where} has {found} where the map has {count} landmarks; was it made before the last select?"
        )
    pixels, flags = np.full((count, 2), np.nan), np.empty(count, dtype=np.int8)
    for k, row in enumerate(entry):
        if not (isinstance(row, list) and len(row) == 3 and all(map(_is_coordinate, row[:2]))):
            raise RelocError(
                f"{where}: keypoint {k} must be [x, y, visible] with finite x and y, not {_brief(row)}"
            )
        if isinstance(row[2], (str, list, dict)) or row[2] not in _FLAGS:
            raise RelocError(f"{where}: visible of keypoint {k} must be 1, 0 or null, not {_brief(row[2])}")
        pixels[k] = [np.nan if value is None else value for value in row[:2]]
        flags[k] = _FLAGS[row[2]]
    return pixels, flags


def _is_coordinate(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _check(
    where: str,
    pixels: NDArray[np.float64],
    flags: NDArray[np.int8],
    unlabelled: Labels,
    index: int,
    width_px: int,
) -> None:
    """Refuse what contradicts the projections of one image; where these are outside of it, positions do not matter."""
    inside = unlabelled.visibility[index] == Visibility.UNKNOWN
    wrong = np.flatnonzero(~inside & (flags == Visibility.SEEN))
    if len(wrong):
        raise RelocError(f"{where}: keypoint {wrong[0]} is visible, but the landmark is not within the image")
    expected = unlabelled.keypoints_px[index]
    off_px = np.where(inside, np.hypot(*(pixels - expected).T), 0.0)
    bad = np.flatnonzero(~(off_px <= max(MIN_OFF_PX, MAX_OFF * width_px)))  # no position is as wrong
    if len(bad):
        k = bad[0]
        found = "null" if np.isnan(off_px[k]) else f"({pixels[k, 0]:.1f}, {pixels[k, 1]:.1f})"
        x, y = expected[k]
        raise RelocError(
            f"{where}: keypoint {k} is at {found}, but the landmark is at ({x:.1f}, {y:.1f}), and {len(bad)} of "
            f"{np.count_nonzero(inside)} are that far off; only visible can be changed, for the landmarks of this map "
            "in their order"
        )
