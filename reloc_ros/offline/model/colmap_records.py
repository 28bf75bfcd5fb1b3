"""The records of COLMAP's files, text or binary: images, points, and the frames of rigs.

By our own hand rather than pycolmap's, which aborts the whole process when points3D.bin is cut short, and
is not to be had on every machine. Format: COLMAP's documentation, "Output Format".
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, are_places
from reloc_ros.io.camera_files import px_from_colmap

NO_POINT = -1
NO_POINT_UNSIGNED = 2**32 - 1
"""What some tools write for `NO_POINT`; no point, if points3D holds none of this id."""
_NO_POINT_UNSIGNED_64 = str(2**64 - 1)
_POINT2D = np.dtype([("xy", "<f8", 2), ("point_id", "<i8")])
_POSE = "d" * 7
_SENSORS = {"CAMERA": 0, "IMU": 1}
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, eq=False)
class ColmapImage:
    """A registered image and its keypoints."""

    image_id: int
    name: str
    camera_id: int
    camera_from_map: SE3
    """As its own record has it; in a model with frames, COLMAP takes theirs."""
    keypoints_px: NDArray[np.float64]
    """(N, 2) in our pixel convention."""
    point_ids: NDArray[np.int64]
    """(N,) which point each sees, or `NO_POINT`."""


@dataclass(frozen=True, eq=False)
class ColmapPoints:
    """The points of a model, without their tracks: the images' keypoints say the same."""

    ids: NDArray[np.int64]
    """(P,) ascending."""
    positions_map: NDArray[np.float64]
    """(P, 3)"""
    colors: NDArray[np.uint8]
    """(P, 3) red, green, blue."""


def read_images(file: Path) -> list[ColmapImage]:
    """Read images.bin or images.txt."""
    return _read(file, _parse_images_bin, _parse_images_txt)


def read_points(file: Path) -> ColmapPoints:
    """Read points3D.bin or points3D.txt."""
    return _read(file, _parse_points_bin, _parse_points_txt)


def read_frame_poses(rigs_file: Path, frames_file: Path) -> dict[int, SE3]:
    """Read rigs and frames, both .bin or both .txt: camera_from_map by image id."""
    rigs = _read(rigs_file, lambda data: _parse_rigs(_Binary(data)), lambda text: _parse_rigs(_Text(text)))
    return _read(
        frames_file,
        lambda data: _parse_frames(_Binary(data), rigs),
        lambda text: _parse_frames(_Text(text), rigs),
    )


def _read(file: Path, parse_bin: Callable[[bytes], _Parsed], parse_txt: Callable[[str], _Parsed]) -> _Parsed:
    try:
        data = file.read_bytes()
        return parse_bin(data) if file.suffix == ".bin" else parse_txt(data.decode("utf-8-sig"))
    except OSError as error:
        raise RelocError(f"cannot read '{file}': {error.strerror}") from error
    except (struct.error, ValueError, LookupError, OverflowError, MemoryError) as error:
        raise RelocError(f"'{file}' is damaged or cut short; export the COLMAP model again") from error


def _parse_images_bin(data: bytes) -> list[ColmapImage]:
    (count,) = struct.unpack_from("<Q", data, 0)
    offset, images = 8, []
    for _ in range(count):
        image_id, *pose, camera_id = struct.unpack_from("<I7dI", data, offset)
        end = data.index(b"\0", offset + 64)
        name = data[offset + 64 : end].decode("utf-8")
        (points_count,) = struct.unpack_from("<Q", data, end + 1)
        points = np.frombuffer(data, _POINT2D, points_count, end + 9)
        offset = end + 9 + points.nbytes
        keypoints_px = _keypoints(points["xy"])
        images.append(
            ColmapImage(image_id, name, camera_id, _pose(pose), keypoints_px, points["point_id"].copy())
        )
    return images


def _parse_images_txt(text: str) -> list[ColmapImage]:
    # Whatever follows an image's line are its keypoints, even if there are none; blank lines and comments
    # may stand before an image's line.
    lines = iter(text.split("\n"))
    images = []
    for line in lines:
        if _is_blank(line):
            continue
        image_id, *pose, camera_id, name = line.strip().split(maxsplit=9)
        table = np.array(next(lines, "").split(), dtype=np.str_).reshape(-1, 3)
        keypoints_px = _keypoints(table[:, :2].astype(np.float64))
        # Ids are read as integers: float64 would round large ones.
        ids = np.array([_point_id(value) for value in table[:, 2].tolist()], dtype=np.int64)
        images.append(ColmapImage(int(image_id), name, int(camera_id), _pose(pose), keypoints_px, ids))
    return images


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _point_id(text: str) -> int:
    return NO_POINT_UNSIGNED if text == _NO_POINT_UNSIGNED_64 else int(text)


def _pose(numbers: ArrayLike) -> SE3:
    numbers = np.array(numbers, dtype=np.float64)
    if not are_places(numbers):  # nor can a quaternion, which is of unit length here
        raise ValueError("a pose is not finite")
    return SE3.from_quaternion_wxyz(numbers[:4], numbers[4:])


def _keypoints(colmap_px: ArrayLike) -> NDArray[np.float64]:
    colmap_px = np.asarray(colmap_px, dtype=np.float64)
    if not are_places(colmap_px):  # before it is reckoned with: some bits that are no number signal
        raise ValueError("a keypoint is not finite")
    return px_from_colmap(colmap_px)


def _parse_points_bin(data: bytes) -> ColmapPoints:
    (count,) = struct.unpack_from("<Q", data, 0)

    def rows() -> Iterator[tuple]:
        offset = 8
        for _ in range(count):
            *row, _error, track_length = struct.unpack_from("<Q3d3BdQ", data, offset)
            offset += 51 + 8 * track_length
            if offset > len(data):
                raise ValueError("a track is cut short")
            yield tuple(row)

    return _points(rows())


def _parse_points_txt(text: str) -> ColmapPoints:
    lines = (line for line in text.split("\n") if not _is_blank(line))
    return _points(tuple(line.split(maxsplit=7)[:7]) for line in lines)


def _points(rows: Iterator[tuple]) -> ColmapPoints:
    table = sorted((int(row[0]), *map(float, row[1:4]), *map(int, row[4:7])) for row in rows)
    if any(len(row) != 7 or row[0] < 0 for row in table):
        raise ValueError("a point lacks its number, place or colour")
    columns = np.array([row[1:] for row in table], dtype=np.float64).reshape(-1, 6)
    if not are_places(columns):
        raise ValueError("a point is not finite")
    return ColmapPoints(
        ids=np.array([row[0] for row in table], dtype=np.int64),
        positions_map=columns[:, :3],
        colors=columns[:, 3:].clip(0, 255).astype(np.uint8),
    )


class _Text:
    """The values of a text file, one after the other."""

    def __init__(self, text: str) -> None:
        lines = (line for line in text.split("\n") if not _is_blank(line))
        self._values = deque(value for line in lines for value in line.split())

    def records(self) -> Iterator[None]:
        """One step for each record, which is to be taken at that step."""
        while self._values:
            yield

    def take(self, form: str) -> tuple:
        """The next values, of the types in `form`: those of `struct`, with `i` for the kind of a sensor."""
        types = {"d": float, "i": _SENSORS.__getitem__}
        return tuple(types.get(letter, int)(self._values.popleft()) for letter in form)


class _Binary:
    """The values of a binary file, one after the other, as in `_Text`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def records(self) -> Iterator[None]:
        (count,) = self.take("Q")
        for _ in range(count):
            yield

    def take(self, form: str) -> tuple:
        values = struct.unpack_from(f"<{form}", self._data, self._offset)
        self._offset += struct.calcsize(f"<{form}")
        return values


_Sensors = dict[tuple[int, int], SE3]
"""By kind and id, each sensor's pose in its rig: sensor_from_rig."""


def _parse_rigs(values: _Text | _Binary) -> dict[int, _Sensors]:
    rigs: dict[int, _Sensors] = {}
    for _ in values.records():
        rig_id, count = values.take("II")
        sensors = {values.take("iI"): SE3.identity()} if count else {}
        for _ in range(count - 1):
            kind, sensor_id, is_posed = values.take("iIB")
            if is_posed:
                sensors[kind, sensor_id] = _pose(values.take(_POSE))
        rigs[rig_id] = sensors
    return rigs


def _parse_frames(values: _Text | _Binary, rigs: dict[int, _Sensors]) -> dict[int, SE3]:
    poses = {}
    for _ in values.records():
        _, rig_id, *pose, count = values.take(f"II{_POSE}I")
        rig_from_map = _pose(pose)
        for _ in range(count):
            kind, sensor_id, image_id = values.take("iIQ")
            if kind == _SENSORS["CAMERA"]:
                poses[image_id] = rigs[rig_id][kind, sensor_id] @ rig_from_map
    return poses
