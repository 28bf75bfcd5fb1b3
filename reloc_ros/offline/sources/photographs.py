"""A folder of photographs: its images as the sensor saw them, and copies of those that COLMAP would read otherwise."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path
from reloc_ros.io.picture_head import refuse_huge, refuse_size
from reloc_ros.offline.sources.exif import (
    ORIENTATION,
    Lens,
    exif_for_copy,
    photo_kind,
    pillow_image,
    read_exif,
    register_heif,
)
from reloc_ros.offline.sources.frame import Frame, Image

_PNG_HEADER_BYTES = 33
"""Of the signature and the chunk IHDR."""
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".heic", ".heif"),
)
COPY_QUALITY = 95
_AS_SEEN = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_PNM_HEAD = re.compile(rb"P([2356])" + 2 * rb"(?:\s|#[^\n]*\n)+\d+" + rb"(?:\s|#[^\n]*\n)+([1-9]\d{0,4})\s")
_READ_ALIKE = ("JPEG", "PNG", "BMP", "PNM", "TIFF")
"""What COLMAP reads and we do, with the same pixels; of TIFF only what is not turned."""
_AS_STORED = {
    2: lambda shown: cv2.flip(shown, 1),
    3: lambda shown: cv2.flip(shown, -1),
    4: lambda shown: cv2.flip(shown, 0),
    5: cv2.transpose,
    6: lambda shown: cv2.rotate(shown, cv2.ROTATE_90_COUNTERCLOCKWISE),
    7: lambda shown: cv2.flip(cv2.transpose(shown), -1),
    8: lambda shown: cv2.rotate(shown, cv2.ROTATE_90_CLOCKWISE),
}
"""From a picture as it is to be shown to what the sensor saw, by EXIF's orientation."""


class PhotoFolder:
    """A folder's images in name order; one that cannot be read is a frame without an image."""

    rate_hz: float | None = None
    rotation: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: tuple[str, ...] = list_photos(path)

    def frames(self) -> Iterator[Frame]:
        for name in self.names:
            try:
                yield Frame(name, read_photo(self.path / name))
            except RelocError as error:
                yield Frame(name, None, str(error))


def list_photos(folder: str | Path) -> tuple[str, ...]:
    """Names of the images in a folder and those below it, relative to it, in name order."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RelocError(f"there is no image folder '{folder}'")
    names = [name for name in _files(folder) if Path(name).suffix.lower() in IMAGE_SUFFIXES]
    if not names:
        holds = f"; it holds {kinds}" if (kinds := other_kinds(folder)) else ""
        raise RelocError(f"folder '{folder}' holds no images ({', '.join(IMAGE_SUFFIXES)}){holds}")
    return tuple(names)


def other_kinds(folder: Path) -> str:
    """How many files of which kind a folder holds that are no images, in words; empty where there are none."""
    suffixes = (Path(name).suffix.lower() or "without a suffix" for name in _files(folder))
    counts = Counter(suffix for suffix in suffixes if suffix not in IMAGE_SUFFIXES)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common())


def _files(folder: Path) -> list[str]:
    return sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts) and file.is_file()
    )


def read_photo(file: str | Path) -> Image:
    """Read an image as (H, W, 3) BGR, as its sensor saw it.

    A rotation noted in the EXIF data is not applied, as COLMAP does not: intrinsics belong to the sensor.
    """
    file = Path(file)
    image = None
    with contextlib.suppress(cv2.error, OSError):  # its header claims more pixels than OpenCV takes
        image = _READERS.get(photo_kind(file), _read_plain)(file)
    if image is None:
        reason = "there is no such file" if not file.is_file() else "it is damaged or not an image"
        raise RelocError(f"cannot read image '{file}': {reason}")
    return image


def _read_plain(file: Path) -> Image | None:
    return _decoded(file, file.read_bytes())


def _decoded(file: Path, data: bytes, how: int = _AS_SEEN) -> Image | None:
    refuse_huge(data, f"image '{file}'")
    return cv2.imdecode(np.frombuffer(data, np.uint8), how) if data else None


def _read_heic(file: Path) -> Image | None:
    register_heif(file)
    pillow = pillow_image()
    try:
        with pillow.open(file) as opened:
            refuse_size(opened.size, f"image '{file}'")
            shown = np.ascontiguousarray(np.asarray(opened.convert("RGB"))[:, :, ::-1])
            orientation = opened.info.get("original_orientation")  # which libheif has applied
    except (OSError, ValueError, SyntaxError, RuntimeError):
        return None
    return _AS_STORED[orientation](shown) if orientation in _AS_STORED else shown


def _read_tiff(file: Path) -> Image | None:
    """OpenCV turns a TIFF by its tag whatever one asks for, or fails; so the tag is set to 1 for it."""
    data = bytearray(file.read_bytes())
    order = "<" if data.startswith(b"II") else ">"
    try:
        (directory,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            if struct.unpack_from(order + "H", data, entry)[0] == ORIENTATION:
                struct.pack_into(order + "H", data, entry + 8, 1)
    except struct.error:
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), _AS_SEEN)


def _read_pnm(file: Path) -> Image | None:
    """OpenCV takes values as they are, whatever number the head calls white; in text it does so beyond 255."""
    data = file.read_bytes()
    head = _PNM_HEAD.match(data)
    if head is None or (head[1] in b"23" and int(head[2]) < 256):
        return _decoded(file, data)
    stored = _decoded(file, data, _AS_SEEN | cv2.IMREAD_ANYDEPTH)
    return None if stored is None else cv2.convertScaleAbs(stored, alpha=255 / int(head[2]))


_READERS = {"HEIC": _read_heic, "PNM": _read_pnm, "TIFF": _read_tiff}


def copy_name(folder: Path, name: str) -> str | None:
    """What the copy of an image is called that COLMAP cannot read or reads otherwise; None where none is needed."""
    kind = photo_kind(folder / name)
    if kind in ("", *_READ_ALIKE) and (kind != "TIFF" or _tiff_is_upright(folder / name)):
        return None
    return f"{name}.png" if kind == "TIFF" else f"{name}.jpg"


def _tiff_is_upright(file: Path) -> bool:
    noted = read_exif(file)
    return noted is None or noted.orientation in (None, 1)


def write_copy(file: Path, target: Path) -> None:
    """Write an image anew as its sensor saw it, as JPEG or PNG by the target's suffix, with its EXIF data."""
    image, exif = read_photo(file), exif_for_copy(file)
    with atomic_path(target) as temporary:
        if target.suffix == ".png":
            temporary.write_bytes(_png_with_exif(image, exif))
        else:
            picture = pillow_image().fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            picture.save(temporary, quality=COPY_QUALITY, subsampling=0, exif=exif)
    changed_ns = file.stat().st_mtime_ns
    os.utime(target, ns=(changed_ns, changed_ns))


def _png_with_exif(image: Image, exif: bytes) -> bytes:
    """A PNG file by OpenCV: Pillow's writer and pycolmap's libpng have ended each other's process.

    OpenCV writes no EXIF data; it is the chunk eXIf, here right after the header (PNG specification, third edition,
    11.3.4.5), without JPEG's mark before it.
    """
    data = cv2.imencode(".png", image)[1].tobytes()
    chunk = b"eXIf" + exif.removeprefix(b"Exif\0\0")
    framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:_PNG_HEADER_BYTES] + framed + data[_PNG_HEADER_BYTES:]


def refuse_mixed_lenses(photos: PhotoFolder) -> None:
    """Refuse photographs of one size by several cameras or zooms: they would be forced into one set of intrinsics.

    Photographs that note nothing are taken for the same as the others.
    """
    seen: dict[tuple[int, int], list[tuple[Path, Lens]]] = {}
    for file in (photos.path / name for name in photos.names):
        noted = read_exif(file)
        if noted is None or noted.lens is None:
            continue
        others = seen.setdefault(noted.size, [])
        for first, expected in others:
            if not noted.lens.is_like(expected):
                raise RelocError(
                    f"'{file}' was taken by {noted.lens}, '{first}' by {expected}; put the "
                    "photographs of each camera and zoom into a folder of their own and give all the folders"
                )
        if all(noted.lens != lens for _, lens in others):
            others.append((file, noted.lens))
