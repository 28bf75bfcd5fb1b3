"""Where images, or what carried the camera, truly were: trajectories in the formats of TUM and EuRoC."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reloc_ros.errors import RelocError
from reloc_ros.geometry import FARTHEST, SE3

FIRST_EPOCH_S = 10**8
"""Numbers from this on are seconds since the epoch, smaller whole ones are numbers of images."""
_UNITS_NS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (FIRST_EPOCH_S, 10**9))
"""From which size on a whole number is a time in nanoseconds, microseconds, milliseconds and seconds."""

_LEAST_PATH_M = 0.01
"""Along x and y; in degrees it is a kilometre."""

_KITTI = " (it looks like KITTI's matrix, which does not say of which image or time it is)"
_XYZW, _WXYZ = (0, 1, 2, 3), (1, 2, 3, 0)

_Key = TypeVar("_Key", str, int)
_Rows = tuple[tuple[str, ...], NDArray[np.float64]]
"""Keys, and (N, 7) x y z qx qy qz qw."""


@dataclass(frozen=True, eq=False)
class Poses(Sequence[SE3]):
    """Poses of which each is made when it is asked for: a long trajectory holds far more than belong to images."""

    rotations: NDArray[np.float64]
    """(N, 3, 3)"""
    positions: NDArray[np.float64]
    """(N, 3)"""

    @staticmethod
    def of(poses: Iterable[SE3]) -> Poses:
        parts = [(pose.rotation, pose.translation) for pose in poses]
        rotations, positions = zip(*parts, strict=True) if parts else ((), ())
        return Poses(np.reshape(rotations, (-1, 3, 3)), np.reshape(positions, (-1, 3)))

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, row: int) -> SE3:
        return SE3(self.rotations[row], self.positions[row])

    def take(self, rows: NDArray[np.intp]) -> Poses:
        return Poses(self.rotations[rows], self.positions[rows])

    def at(self, mount: SE3) -> Poses:
        """Each of them @ `mount`."""
        return Poses(self.rotations @ mount.rotation, self.rotations @ mount.translation + self.positions)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Where images truly were, as a file says."""

    keys: tuple[str, ...]
    """First column, see `match_images` and `stamps_of_keys`."""
    map_from_camera: Poses
    """In metres, z up; of what carried the camera where its mount is told."""
    has_orientations: bool
    """False when every quaternion is the identity: positions alone are known, from GNSS or a tracker."""


@dataclass(frozen=True)
class _Layout:
    """How the lines of a file are to be read."""

    commas: bool
    quaternion: tuple[int, ...]
    """Where x, y, z and w are among its four columns."""
    columns: int
    """That lines without commas have; more than eight where a header names them."""


def read_trajectory(file: str | Path) -> Trajectory:
    """Read `key tx ty tz qx qy qz qw` as TUM's files have it, or `key,x,y,z[,qw,qx,qy,qz,...]` as EuRoC's.

    A header that names the columns tells where the quaternion has its w; see `match_images` for the key.
    """
    file = Path(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RelocError(f"cannot read trajectory '{file}' as a text file ({error})") from error
    layout, lines = _layout_and_lines(text)
    if not lines:
        raise RelocError(f"trajectory '{file}' holds no poses")
    keys, numbers = _parse_table(list(lines.values()), layout) or _parse_lines(file, lines, layout)
    if len(set(keys)) < len(keys):
        repeated = [key for key, count in Counter(keys).items() if count > 1]
        raise RelocError(
            f"trajectory '{file}' gives '{min(repeated)}' more than once; leave one pose of each, and write times with "
            "all of their digits"
        )
    near = (np.abs(numbers[:, :3]) < FARTHEST).all(axis=1)
    bad = np.flatnonzero(~(near & np.isfinite(numbers[:, 3:]).all(axis=1) & numbers[:, 3:].any(axis=1)))
    if len(bad):
        raise _not_a_pose(file, *list(lines.items())[bad[0]])
    _refuse_degrees(file, numbers[:, :3])
    quaternions = numbers[:, 3:] / np.abs(numbers[:, 3:]).max(axis=1, keepdims=True)
    rotations = Rotation.from_quat(quaternions).as_matrix()
    turned = bool(np.abs(rotations - np.eye(3)).max() > 1e-9)
    return Trajectory(keys, Poses(rotations, numbers[:, :3]), turned)


def _refuse_degrees(file: Path, positions: NDArray[np.float64]) -> None:
    """Latitude and longitude of a walk hardly differ; no map is made from so small a place so far off its origin."""
    level = positions[:, :2]
    x, y = level[0]
    apart = np.ptp(level, axis=0).max()
    if 0 < apart < _LEAST_PATH_M and 1 < max(abs(x), abs(y)) <= 180:
        raise RelocError(
            f"trajectory '{file}': its positions differ by only {apart:.1g} in x and y, around {x:g} and {y:g}, as "
            "latitude and longitude do; give metres, in UTM or about a place of yours, with z up"
        )


def _layout_and_lines(text: str) -> tuple[_Layout, dict[int, str]]:
    """How to read the lines that hold poses, and these by their number."""
    headers, lines = [], {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#") or (not lines and _is_header(line)):
            headers.append(_names_of_columns(line))
        elif line.strip():
            lines[number] = line
    words = next(iter(lines.values()), "").rsplit(maxsplit=7)
    commas = "," in "".join(words[1:] if len(words) == 8 else words)  # names, too, may hold commas
    for names in headers:
        for first in range(1, len(names) - 6):
            if quaternion := _named_quaternion(names[first : first + 7]):
                if first == 1:
                    return _Layout(commas, quaternion, len(names)), lines
                return _Layout(commas, quaternion, 8), _of_columns(lines, commas, names[:first])
    if lines and _of_echo(next(iter(lines.values()))):
        return _Layout(True, _XYZW, 8), {number: _of_echo(line) or line for number, line in lines.items()}
    return _Layout(commas, _WXYZ if commas else _XYZW, 8), lines


def _of_columns(lines: Mapping[int, str], commas: bool, before: Sequence[str]) -> dict[int, str]:
    """Lines with what tells the time or image, and the seven columns of the pose, which come after those `before`."""
    separator, space = (",", ",") if commas else (None, " ")
    timed = [column for column, name in enumerate(before) if name == "t" or re.search("time|stamp", name)]
    key, first = timed[-1] if timed else len(before) - 1, len(before)
    words = {number: line.split(separator) for number, line in lines.items()}
    return {
        number: space.join([*line[key : key + 1], *line[first : first + 7]]) for number, line in words.items()
    }


def _of_echo(line: str) -> str | None:
    """A pose with a header as `ros2 topic echo --csv` writes it: seconds, nanoseconds, one or two frames, the pose."""
    seconds, nanoseconds, frame, other, *_ = [*line.split(","), *[""] * 4]
    if not (seconds.isdigit() and nanoseconds.isdigit()) or _is_number(frame):
        return None
    first = 3 if _is_number(other) else 4
    return f"{seconds}.{nanoseconds:0>9}," + ",".join(line.split(",")[first : first + 7])


def _is_header(line: str) -> bool:
    words = line.replace(",", " ").split()
    return len(words) >= 4 and not any(map(_is_number, words))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _names_of_columns(header: str) -> list[str]:
    """Without units in brackets."""
    return re.sub(r"\[[^]]*\]|\([^)]*\)", "", header).lower().lstrip(" #").replace(",", " ").split()


def _named_quaternion(names: Sequence[str]) -> tuple[int, ...] | None:
    """Where x, y, z and w are, if these are names of columns: position, quaternion."""
    axes = "".join(name[-1] for name in names)
    if axes[:3] != "xyz" or sorted(axes[3:]) != sorted("xyzw"):
        return None
    return tuple(axes[3:].index(axis) for axis in "xyzw")


def _parse_table(lines: Sequence[str], layout: _Layout) -> _Rows | None:
    """All lines at once, as a long file needs it; None where there are names, or a line is at fault."""
    separator = "," if layout.commas else None
    if not all(map(str.strip, lines)):
        return None
    try:
        table = np.loadtxt(lines, delimiter=separator, comments=None, ndmin=2)
    except ValueError:
        return None
    columns = table.shape[1]
    if columns == 4:  # of a tracker, or of GNSS
        quaternions = np.tile([0.0, 0.0, 0.0, 1.0], (len(table), 1))
    elif columns == layout.columns or (layout.commas and columns >= 8):
        quaternions = table[:, 4:8][:, layout.quaternion]
    else:
        return None
    keys = tuple(line.split(separator, 1)[0].strip() for line in lines)
    return keys, np.hstack([table[:, 1:4], quaternions])


def _parse_lines(file: Path, lines: Mapping[int, str], layout: _Layout) -> _Rows:
    """Line by line; names in the first column may hold spaces."""
    keys, numbers = [], []
    for number, line in lines.items():
        if layout.commas:
            key, *words = line.rstrip(" ,").split(",")
        else:
            key, *words = line.rsplit(maxsplit=layout.columns - 1) or [
                ""
            ]  # of a header longer than its lines
            if len(key.split()) > 1 and all(map(_is_number, line.split())):
                raise _not_a_pose(file, number, line)
        try:
            x, y, z, *told = (float(word) for word in words[:7])
            quaternion = [told[k] for k in layout.quaternion] if told else [0.0, 0.0, 0.0, 1.0]
        except (ValueError, IndexError) as error:
            raise _not_a_pose(file, number, line) from error
        keys.append(key.strip())
        numbers.append([x, y, z, *quaternion])
    return tuple(keys), np.array(numbers)


def _not_a_pose(file: Path, number: int, line: str) -> RelocError:
    kitti = len(line.split()) == 12
    return RelocError(
        f"trajectory '{file}' line {number} is not 'image tx ty tz qx qy qz qw', nor with commas "
        f"'time,x,y,z,qw,qx,qy,qz'{_KITTI if kitti else ''}: '{line.strip()}'"
    )


def stamps_of_keys(keys: Sequence[str]) -> NDArray[np.int64] | None:
    """(N,) nanoseconds where every key is a time: since the epoch, or a number of seconds with a fraction."""
    try:
        # Not by `float`, which holds a time since the epoch to 0.2 microseconds.
        times = [Decimal(key.replace("_", "?")) for key in keys]
        least, most = min(times), max(times)
    except ArithmeticError:
        return None  # a name, or not a number
    units_ns = (unit_ns for smallest, unit_ns in _UNITS_NS if smallest <= least)
    unit_ns = next(units_ns, None if all(map(str.isdigit, keys)) else 10**9)
    if unit_ns is None or most * unit_ns >= 2**63 or -least * unit_ns >= 2**63:
        return None
    return np.array([int(time * unit_ns) for time in times], dtype=np.int64)


def match_images(keys: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """For each trajectory key the index of its image; None where there is none, or more than one.

    Args:
        keys: an image's name, that name without folder or suffix, or the whole number it ends in.
        names: of the images.
    """
    stems = dict(enumerate(Path(name).stem for name in names))
    file_names = dict(enumerate(Path(name).name for name in names))
    tables = [_unique(dict(enumerate(names))), _unique(file_names), _unique(stems)]
    # As text, which may have any number of digits.
    numbers = {
        i: found[1].lstrip("0") for i, stem in stems.items() if (found := re.search(r"([0-9]+)$", stem))
    }
    by_number = _unique(numbers)
    return [_look_up(key, tables, by_number) for key in keys]


def _unique(values: Mapping[int, _Key]) -> dict[_Key, int]:
    """Turn image to value into value to image, where that is unambiguous."""
    counts = Counter(values.values())
    return {value: image for image, value in values.items() if counts[value] == 1}


def _look_up(key: str, tables: Sequence[Mapping[str, int]], by_number: Mapping[str, int]) -> int | None:
    for table in tables:
        if key in table:
            return table[key]
    return by_number.get(key.lstrip("0")) if re.fullmatch(r"[0-9]+", key) else None
