"""Which camera and zoom took photographs, by what they note themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reloc_ros.errors import RelocError

_MAKE, _MODEL, _EXIF, _FOCAL_LENGTH = 0x010F, 0x0110, 0x8769, 0x920A
_SAME_FOCAL_LENGTH = 0.02


def refuse_mixed_lenses(folder: Path, names: Sequence[str]) -> None:
    """Refuse photographs of one size by several cameras or zooms: they would be forced into one set of intrinsics.

    Photographs that note nothing are taken for the same as the others.
    """
    seen: dict[tuple[int, int], tuple[str, tuple[str, float | None]]] = {}
    for name in names:
        found = read_lens(folder / name)
        if found is None:
            continue
        size, lens = found
        first, expected = seen.setdefault(size, (name, lens))
        if not _same(lens, expected):
            raise RelocError(
                f"'{folder / name}' was taken by {_told(lens)}, '{folder / first}' by {_told(expected)}; put the "
                "photographs of each camera and zoom into a folder of their own and give all the folders"
            )


def read_lens(file: Path) -> tuple[tuple[int, int], tuple[str, float | None]] | None:
    """An image's width and height, and the camera and focal length in mm; None if it notes no camera."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            exif = image.getexif()
            camera = " ".join(str(exif[tag]).strip("\0 ") for tag in (_MAKE, _MODEL) if tag in exif)
            focal_length = exif.get_ifd(_EXIF).get(_FOCAL_LENGTH)
            size = image.size
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
        return None  # whoever reads the pixels says what is wrong
    if not camera:
        return None
    return size, (camera, float(focal_length) if focal_length else None)


def _same(one: tuple[str, float | None], other: tuple[str, float | None]) -> bool:
    (one_camera, one_mm), (other_camera, other_mm) = one, other
    if one_camera != other_camera:
        return False
    return not one_mm or not other_mm or abs(one_mm - other_mm) <= _SAME_FOCAL_LENGTH * one_mm


def _told(lens: tuple[str, float | None]) -> str:
    camera, focal_length = lens
    return f"{camera} at {focal_length:g} mm" if focal_length else camera
