"""Where images, or what carried the camera, truly were: trajectories in the formats of TUM and EuRoC."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3

FIRST_EPOCH_S = 10**8
"""Numbers from this on are seconds since the epoch, smaller whole ones are numbers of images."""
_UNITS_NS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (FIRST_EPOCH_S, 10**9))
"""From which size on a whole number is a time in nanoseconds, microseconds, milliseconds and seconds."""

_Key = TypeVar("_Key", str, int)
_Row = tuple[str, list[float]]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Where images truly were, as a file says."""

    keys: tuple[str, ...]
    """First column, see `match_images` and `stamps_of_keys`."""
    map_from_camera: tuple[SE3, ...]
    """In metres, z up; of what carried the camera where its mount is told."""
    has_orientations: bool
    """False when every quaternion is the identity: positions alone are known, from GNSS or a tracker."""


def read_trajectory(file: str | Path) -> Trajectory:
    """Read `key tx ty tz qx qy qz qw` as TUM's files have it, or `key,x,y,z[,qw,qx,qy,qz,...]` as EuRoC's.

    In a file with commas a header tells where the quaternion has its w; see `match_images` for the key.
    """
    file = Path(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RelocError(f"cannot read trajectory '{file}' as a text file ({error})") from error
    w_is_last, lines, rows = False, [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if _is_header(line, first=not rows):
            w_is_last |= _ends_with_w(line)
        elif line.strip():
            lines.append((number, line))
            rows.append(_parse_line(file, number, line, w_is_last))
    if not rows:
        raise RelocError(f"trajectory '{file}' holds no poses")
    keys = tuple(key for key, _ in rows)
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        raise RelocError(f"trajectory '{file}' gives '{min(repeated)}' more than once")
    numbers = np.array([values for _, values in rows])
    bad = np.flatnonzero(~(np.isfinite(numbers).all(axis=1) & numbers[:, 3:].any(axis=1)))
    if len(bad):
        raise _not_a_pose(file, *lines[bad[0]])
    rotations = Rotation.from_quat(numbers[:, 3:]).as_matrix()
    turned = bool(np.abs(rotations - np.eye(3)).max() > 1e-9)
    return Trajectory(keys, tuple(map(SE3, rotations, numbers[:, :3])), turned)


def _is_header(line: str, first: bool) -> bool:
    if line.lstrip().startswith("#"):
        return True
    return first and "," in line and not any(map(_is_number, line.split(",")[1:]))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _ends_with_w(header: str) -> bool:
    """Whether the last of key, position and quaternion is w, units in brackets aside."""
    names = [name.partition("[")[0].strip().lower() for name in header.split(",")]
    return len(names) >= 8 and names[7].endswith("w")


def _parse_line(file: Path, number: int, line: str, w_is_last: bool) -> _Row:
    """The key, and x y z qx qy qz qw."""
    columns = line.rsplit(maxsplit=7)  # from the right: names may hold spaces
    try:
        if len(columns) == 8 and "," not in columns[1]:
            key, *words = columns
            return key.strip(), [float(word) for word in words]
        key, *words = line.split(",")
        values = [float(word) for word in words]
        if len(values) == 3:  # of a tracker
            return key.strip(), [*values, 0.0, 0.0, 0.0, 1.0]
        x, y, z, *quaternion = values[:7]
        a, b, c, d = quaternion
        return key.strip(), [x, y, z, *((a, b, c, d) if w_is_last else (b, c, d, a))]
    except ValueError as error:
        raise _not_a_pose(file, number, line) from error


def _not_a_pose(file: Path, number: int, line: str) -> RelocError:
    return RelocError(
        f"trajectory '{file}' line {number} is not 'image tx ty tz qx qy qz qw', nor with commas "
        f"'time,x,y,z,qw,qx,qy,qz': '{line.strip()}'"
    )


def stamps_of_keys(keys: Sequence[str]) -> NDArray[np.int64] | None:
    """(N,) nanoseconds where every key is a time: since the epoch, or a number of seconds with a fraction."""
    if all(re.fullmatch(r"[0-9]+", key) for key in keys):
        times = [int(key) for key in keys]
        for smallest, unit_ns in _UNITS_NS:
            if smallest <= min(times) and max(times) * unit_ns < 2**63:
                return np.array(times, dtype=np.int64) * unit_ns
        return None
    try:
        return np.array([_nanoseconds(key) for key in keys], dtype=np.int64)
    except (ValueError, OverflowError):
        return None


def _nanoseconds(seconds: str) -> int:
    """Exactly, where they are written with a point; `float` holds a time since the epoch to 0.2 microseconds."""
    if found := re.fullmatch(r"([0-9]*)\.([0-9]{1,9})[0-9]*", seconds):
        return int(found[1] or 0) * 10**9 + int(found[2].ljust(9, "0"))
    return round(float(seconds) * 1e9)


def match_images(keys: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """For each trajectory key the index of its image; None where there is none, or more than one.

    Args:
        keys: an image's name, that name without folder or suffix, or the whole number it ends in.
        names: of the images.
    """
    stems = dict(enumerate(Path(name).stem for name in names))
    file_names = dict(enumerate(Path(name).name for name in names))
    tables = [_unique(dict(enumerate(names))), _unique(file_names), _unique(stems)]
    numbers = {i: int(found[1]) for i, stem in stems.items() if (found := re.search(r"([0-9]+)$", stem))}
    by_number = _unique(numbers)
    return [_look_up(key, tables, by_number) for key in keys]


def _unique(values: Mapping[int, _Key]) -> dict[_Key, int]:
    """Turn image to value into value to image, where that is unambiguous."""
    counts = Counter(values.values())
    return {value: image for image, value in values.items() if counts[value] == 1}


def _look_up(key: str, tables: Sequence[Mapping[str, int]], by_number: Mapping[int, int]) -> int | None:
    for table in tables:
        if key in table:
            return table[key]
    return by_number.get(int(key)) if re.fullmatch(r"[0-9]+", key) else None
