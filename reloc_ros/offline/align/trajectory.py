"""Where images truly were: trajectories in the TUM format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.tum import parse_tum_pose

MAX_TIME_GAP_S = 1 / 60
"""A pose belongs to the frame of a video that is this near to it: half of the usual time between frames."""

_Key = TypeVar("_Key", str, int)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Where images truly were, as a file says."""

    keys: tuple[str, ...]
    """First column, see `match_images`."""
    map_from_camera: tuple[SE3, ...]
    """In metres, z up."""
    has_orientations: bool
    """False when every quaternion is the identity: positions alone are known, from GNSS or a tracker."""


def read_trajectory(file: str | Path) -> Trajectory:
    """Read a TUM file: lines `key tx ty tz qx qy qz qw`, see `match_images` for the key."""
    file = Path(file)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RelocError(f"cannot read trajectory '{file}' as a text file ({error})") from error
    rows = [_parse_line(file, number, line) for number, line in _lines(text)]
    if not rows:
        raise RelocError(f"trajectory '{file}' holds no poses")
    keys, poses = zip(*rows, strict=True)
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        raise RelocError(f"trajectory '{file}' gives '{min(repeated)}' more than once")
    turned = any(np.abs(pose.rotation - np.eye(3)).max() > 1e-9 for pose in poses)
    return Trajectory(keys, poses, has_orientations=turned)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _parse_line(file: Path, number: int, line: str) -> tuple[str, SE3]:
    columns = line.rsplit(maxsplit=7)  # from the right: names may hold spaces
    try:
        key, *numbers = columns
        return key.strip(), parse_tum_pose(" ".join(numbers))
    except ValueError as error:
        raise RelocError(
            f"trajectory '{file}' line {number} is not 'image tx ty tz qx qy qz qw': '{line.strip()}'"
        ) from error


def match_images(
    keys: Sequence[str], names: Sequence[str], times_ns: Mapping[str, int] | None = None
) -> list[int | None]:
    """For each trajectory key the index of its image; None where there is none, or more than one.

    Args:
        keys: an image's name, that name without folder or suffix, the whole number it ends in, or, for frames of a
            video, the seconds since it began.
        names: of the images.
        times_ns: when each frame of that video was taken, since it began, by name.
    """
    stems = dict(enumerate(Path(name).stem for name in names))
    file_names = dict(enumerate(Path(name).name for name in names))
    tables = [_unique(dict(enumerate(names))), _unique(file_names), _unique(stems)]
    numbers = {i: int(found[1]) for i, stem in stems.items() if (found := re.search(r"([0-9]+)$", stem))}
    by_number = _unique(numbers)
    found_images = [_look_up(key, tables, by_number) for key in keys]
    times_s = {i: 1e-9 * times_ns[name] for i, name in enumerate(names) if name in (times_ns or {})}
    for _, row, image in sorted(
        _nearest_in_time(keys, times_s), reverse=True
    ):  # the nearest last, which stays
        found_images[row] = image
    return found_images


def _unique(values: Mapping[int, _Key]) -> dict[_Key, int]:
    """Turn image to value into value to image, where that is unambiguous."""
    counts = Counter(values.values())
    return {value: image for image, value in values.items() if counts[value] == 1}


def _look_up(key: str, tables: Sequence[Mapping[str, int]], by_number: Mapping[int, int]) -> int | None:
    for table in tables:
        if key in table:
            return table[key]
    return by_number.get(int(key)) if re.fullmatch(r"[0-9]+", key) else None


def _nearest_in_time(keys: Sequence[str], times_s: Mapping[int, float]) -> Iterator[tuple[float, int, int]]:
    """For each image how near the nearest key in time is, and its row, if it is near enough."""
    rows = [row for row, key in enumerate(keys) if re.fullmatch(r"[0-9]*\.[0-9]+", key)]
    keys_s = np.array([float(keys[row]) for row in rows])
    for image, time_s in times_s.items() if rows else ():
        gaps_s = np.abs(keys_s - time_s)
        if gaps_s.min() <= MAX_TIME_GAP_S:
            yield float(gaps_s.min()), rows[int(gaps_s.argmin())], image
