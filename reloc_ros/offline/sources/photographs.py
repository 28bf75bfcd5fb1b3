"""A folder of photographs: its images as the sensor saw them, and the camera and zoom that they note themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.frame import Frame, Image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_MAKE, _MODEL, _EXIF, _FOCAL_LENGTH = 0x010F, 0x0110, 0x8769, 0x920A
_SAME_FOCAL_LENGTH = 0.02
"""Share by which what lenses note of one setting may differ."""


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
    names = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    )
    if not names:
        raise RelocError(f"folder '{folder}' holds no images ({', '.join(IMAGE_SUFFIXES)})")
    return tuple(names)


def read_photo(file: str | Path) -> Image:
    """Read an image as (H, W, 3) BGR, as its sensor saw it.

    A rotation noted in the EXIF data is not applied, as COLMAP does not: intrinsics belong to the sensor.
    """
    image = None
    with contextlib.suppress(cv2.error):  # its header claims more pixels than OpenCV takes
        image = cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        reason = "there is no such file" if not Path(file).is_file() else "it is damaged or not an image"
        raise RelocError(f"cannot read image '{file}': {reason}")
    return image


def refuse_mixed_lenses(photos: PhotoFolder) -> None:
    """Refuse photographs of one size by several cameras or zooms: they would be forced into one set of intrinsics.

    Photographs that note nothing are taken for the same as the others.
    """
    seen: dict[tuple[int, int], tuple[Path, _Lens]] = {}
    for file in (photos.path / name for name in photos.names):
        noted = _read_lens(file)
        if noted is None:
            continue
        size, lens = noted
        first, expected = seen.setdefault(size, (file, lens))
        if not lens.is_like(expected):
            raise RelocError(
                f"'{file}' was taken by {lens}, '{first}' by {expected}; put the "
                "photographs of each camera and zoom into a folder of their own and give all the folders"
            )


@dataclass(frozen=True)
class _Lens:
    """What took a photograph."""

    camera: str
    focal_mm: float | None

    def is_like(self, other: _Lens) -> bool:
        if self.camera != other.camera or not self.focal_mm or not other.focal_mm:
            return self.camera == other.camera
        return abs(self.focal_mm - other.focal_mm) <= _SAME_FOCAL_LENGTH * self.focal_mm

    def __str__(self) -> str:
        return f"{self.camera} at {self.focal_mm:g} mm" if self.focal_mm else self.camera


def _read_lens(file: Path) -> tuple[tuple[int, int], _Lens] | None:
    """An image's width and height, and what took it; None if it notes no camera."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            exif = image.getexif()
            camera = " ".join(str(exif[tag]).strip("\0 ") for tag in (_MAKE, _MODEL) if tag in exif)
            focal_length = exif.get_ifd(_EXIF).get(_FOCAL_LENGTH)
            size = image.size
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
        return None  # whoever reads the pixels says what is wrong
    return (size, _Lens(camera, float(focal_length) if focal_length else None)) if camera else None
