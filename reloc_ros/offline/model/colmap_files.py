"""Read a COLMAP model, text or binary.

By our own hand rather than pycolmap's, which aborts the whole process when points3D.bin is cut short, and
is not to be had on every machine. Format: COLMAP's documentation, "Output Format".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.camera_files import px_from_colmap, read_colmap_cameras
from reloc_ros.offline.model.sfm import SfmModel

_NO_POINT = np.uint64(2**64 - 1)
_POINT2D = np.dtype([("xy", "<f8", 2), ("point_id", "<u8")])
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, eq=False)
class ColmapImage:
    """A registered image and those of its keypoints that see a point."""

    name: str
    camera_id: int
    camera_from_map: SE3
    observations_px: NDArray[np.float64]
    """(M, 2) in our pixel convention."""
    point_ids: NDArray[np.int64]
    """(M,) which point each sees."""


@dataclass(frozen=True, eq=False)
class ColmapPoints:
    """The points of a model, without their tracks: the images' observations say the same."""

    ids: NDArray[np.int64]
    """(P,)"""
    positions_map: NDArray[np.float64]
    """(P, 3)"""
    colors: NDArray[np.uint8]
    """(P, 3) red, green, blue."""


def read_colmap(path: str | Path) -> SfmModel:
    """Read a COLMAP model, text or binary.

    Args:
        path: the folder with cameras.bin and its like, or one above it (the one with `sparse/0`).
    """
    folder = _find_model(Path(path))
    cameras = read_colmap_cameras(find_file(folder, "cameras"))
    images = sorted(read_images(folder), key=lambda image: image.name)
    points = read_points(folder)
    if not images:
        raise RelocError(f"COLMAP model '{folder}' has no images")
    if len(points.ids) == 0:
        raise RelocError(f"COLMAP model '{folder}' has no points")
    for image in images:
        if image.camera_id not in cameras:
            raise RelocError(
                f"COLMAP model '{folder}' lacks camera {image.camera_id} of image '{image.name}'"
            )
    observation_point, observation_image, observation_px = _gather(folder, images, points.ids)
    model = SfmModel(
        cameras=cameras,
        names=tuple(image.name for image in images),
        camera_ids=np.array([image.camera_id for image in images], dtype=np.int32),
        camera_from_map=tuple(image.camera_from_map for image in images),
        points_map=points.positions_map,
        point_ids=points.ids,
        colors=points.colors,
        errors_px=np.zeros(len(points.ids)),
        observation_point=observation_point,
        observation_image=observation_image,
        observation_px=observation_px,
    )
    model = model.keep_points(model.track_lengths > 0)
    return replace(model, errors_px=model.observed_rays.mean_errors_px(model.points_map))


def _find_model(path: Path) -> Path:
    if not path.is_dir():
        raise RelocError(f"there is no COLMAP model folder '{path}'")
    if _is_model(path):
        return path
    for parent in (path / "sparse", path):
        models = sorted(child for child in parent.iterdir() if _is_model(child)) if parent.is_dir() else []
        if _is_model(parent):
            return parent
        if len(models) > 1:
            listed = ", ".join(str(model) for model in models)
            raise RelocError(f"'{path}' holds several COLMAP models; name one of {listed}")
        if models:
            return models[0]
    raise RelocError(f"'{path}' is not a COLMAP model: it has no cameras.bin or cameras.txt")


def _is_model(folder: Path) -> bool:
    return any((folder / f"cameras{suffix}").is_file() for suffix in (".bin", ".txt"))


def _gather(
    folder: Path, images: list[ColmapImage], point_ids: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """All observations as (point index, image index, pixel), in point order."""
    seen_ids = np.concatenate([image.point_ids for image in images])
    image_index = np.repeat(np.arange(len(images)), [len(image.point_ids) for image in images])
    pixels = np.concatenate([image.observations_px for image in images])
    point_index = np.searchsorted(point_ids, seen_ids)
    found = point_ids[np.minimum(point_index, len(point_ids) - 1)] == seen_ids
    if not found.all():
        raise RelocError(
            f"COLMAP model '{folder}' is damaged: {np.count_nonzero(~found)} observations are of points "
            "that points3D does not hold"
        )
    order = np.lexsort([image_index, point_index])
    return point_index[order].astype(np.int32), image_index[order].astype(np.int32), pixels[order]


def read_images(folder: Path) -> list[ColmapImage]:
    """Read images.bin or images.txt."""
    return _read(folder, "images", _parse_images_bin, _parse_images_txt)


def read_points(folder: Path) -> ColmapPoints:
    """Read points3D.bin or points3D.txt."""
    return _read(folder, "points3D", _parse_points_bin, _parse_points_txt)


def find_file(folder: Path, stem: str) -> Path:
    """The binary or else the text file of that name in a model's folder."""
    for suffix in (".bin", ".txt"):
        if (folder / f"{stem}{suffix}").is_file():
            return folder / f"{stem}{suffix}"
    raise RelocError(f"'{folder}' is not a COLMAP model: it has no {stem}.bin or {stem}.txt")


def _read(
    folder: Path, stem: str, parse_bin: Callable[[bytes], _Parsed], parse_txt: Callable[[str], _Parsed]
) -> _Parsed:
    file = find_file(folder, stem)
    try:
        data = file.read_bytes()
        return parse_bin(data) if file.suffix == ".bin" else parse_txt(data.decode("utf-8"))
    except OSError as error:
        raise RelocError(f"cannot read '{file}': {error.strerror}") from error
    except (struct.error, ValueError, IndexError, MemoryError) as error:
        raise RelocError(f"'{file}' is damaged or cut short; export the COLMAP model again") from error


def _parse_images_bin(data: bytes) -> list[ColmapImage]:
    (count,) = struct.unpack_from("<Q", data, 0)
    offset, images = 8, []
    for _ in range(count):
        _, *pose, camera_id = struct.unpack_from("<I7dI", data, offset)
        end = data.index(b"\0", offset + 64)
        name = data[offset + 64 : end].decode("utf-8")
        (points_count,) = struct.unpack_from("<Q", data, end + 1)
        points = np.frombuffer(data, _POINT2D, points_count, end + 9)
        offset = end + 9 + points.nbytes
        images.append(_image(name, camera_id, pose, points["xy"], points["point_id"]))
    return images


def _parse_images_txt(text: str) -> list[ColmapImage]:
    # Two lines an image; the second may be empty, so empty lines count once the images have begun.
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    images = []
    for head, tail in zip(lines[0::2], [*lines[1::2], ""], strict=False):
        if not head.strip():
            continue
        _, *pose, camera_id, name = head.split(maxsplit=9)
        table = np.array(tail.split(), dtype=np.str_).reshape(-1, 3)
        # Ids are read as integers: float64 would round large ones.
        point_ids = np.array([int(value) for value in table[:, 2]], dtype=np.int64).astype(np.uint64)
        images.append(_image(name, int(camera_id), pose, table[:, :2].astype(np.float64), point_ids))
    return images


def _image(name: str, camera_id: int, pose: list, xy: np.ndarray, point_ids: np.ndarray) -> ColmapImage:
    numbers = np.array(pose, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"the pose of {name} is not finite")
    seen = point_ids != _NO_POINT
    return ColmapImage(
        name=name,
        camera_id=camera_id,
        camera_from_map=SE3.from_quaternion_wxyz(numbers[:4], numbers[4:]),
        observations_px=px_from_colmap(xy[seen]),
        point_ids=point_ids[seen].astype(np.int64),
    )


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
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return _points(tuple(line.split(maxsplit=7)[:7]) for line in lines)


def _points(rows: Iterator[tuple]) -> ColmapPoints:
    table = sorted((int(row[0]), *map(float, row[1:4]), *map(int, row[4:7])) for row in rows)
    columns = np.array([row[1:] for row in table], dtype=np.float64).reshape(-1, 6)
    if not np.isfinite(columns).all():
        raise ValueError("a point is not finite")
    return ColmapPoints(
        ids=np.array([row[0] for row in table], dtype=np.int64),
        positions_map=columns[:, :3],
        colors=columns[:, 3:].astype(np.uint8),
    )
