"""What a photograph says of itself: its camera and field of view, and which side of it is up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
TOPS = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "left", 7: "right", 8: "right"}
"""By EXIF's orientation, the side of the stored picture that is up; 2, 4, 5 and 7 are mirrored."""
ORIENTATION = 0x0112
_MAKE, _MODEL, _EXIF = 0x010F, 0x0110, 0x8769
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM, _ZOOM, _LENS = 0x920A, 0xA405, 0xA404, 0xA434
_SAME_FOCAL_LENGTH = 0.02
"""Share by which what lenses note of one setting may differ."""
_SAME_35MM = 0.04
"""It is noted in whole millimetres."""


@dataclass(frozen=True)
class Lens:
    """What took a photograph; what it does not note, or as 0 or 0/0, is unknown, which may be anything."""

    camera: str
    focal_mm: float | None = None
    focal_35mm: float | None = None
    """In equivalents of 35 mm film, which counts what is cropped from the sensor."""
    zoom: float | None = None
    """By cropping."""
    name: str = ""

    def is_like(self, other: Lens) -> bool:
        return (
            self.camera == other.camera
            and (not self.name or not other.name or self.name == other.name)
            and _are_near(self.focal_mm, other.focal_mm, _SAME_FOCAL_LENGTH)
            and _are_near(self.focal_35mm, other.focal_35mm, _SAME_35MM)
            and _are_near(self.zoom, other.zoom, _SAME_FOCAL_LENGTH)
        )

    def __str__(self) -> str:
        parts = [f"at {self.focal_mm:g} mm"] if self.focal_mm else []
        if self.focal_35mm or (self.zoom and self.zoom != 1):
            film = [f"{self.focal_35mm:g} mm in 35 mm film"] if self.focal_35mm else []
            parts.append("(" + ", ".join(film + ([f"digital zoom {self.zoom:g}"] if self.zoom else [])) + ")")
        return " ".join([self.camera, *([f"with {self.name}"] if self.name else []), *parts])


@dataclass(frozen=True)
class Noted:
    """What the head of an image file says."""

    size: tuple[int, int]
    """Width and height as the sensor has them."""
    mode: str
    """Of its pixels, in Pillow's terms."""
    lens: Lens | None
    """None if it names no camera."""
    top: str | None
    """The side that is up, left, right, top or bottom; None if nobody noted it."""


def read_exif(file: Path) -> Noted | None:
    """None of a file that is damaged: whoever reads the pixels says what is wrong."""
    from PIL import Image, UnidentifiedImageError

    if is_heif(file):
        register_heif(file)
    try:
        with Image.open(file) as image:
            exif, info, size, mode = image.getexif(), image.info, image.size, image.mode
            details = exif.get_ifd(_EXIF)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
        return None
    camera = " ".join(str(exif[tag]).strip("\0 ") for tag in (_MAKE, _MODEL) if tag in exif).strip()
    zoom = details.get(_ZOOM)
    lens = Lens(
        camera,
        _positive(details.get(_FOCAL_LENGTH)),
        _positive(details.get(_FOCAL_LENGTH_35MM)),
        1.0 if zoom == 0 else _positive(zoom),  # EXIF 2.3: zero means that none was used
        str(details.get(_LENS, "")).strip("\0 "),
    )
    turned = info.get("original_orientation")  # libheif has turned it upright, and the size is of that
    orientation = turned or exif.get(ORIENTATION)
    size = size[::-1] if (turned or 1) > 4 else size
    return Noted(size, mode, lens if camera else None, TOPS.get(orientation))


def picture_tops(images_dir: Path, names: Iterable[str]) -> dict[str, str]:
    """The side that is up of those photographs that note it."""
    noted = {name: read_exif(images_dir / name) for name in names}
    return {name: one.top for name, one in noted.items() if one is not None and one.top is not None}


def is_heif(file: Path) -> bool:
    """By its contents: phones and chats call them .jpg, too."""
    try:
        with file.open("rb") as stream:
            head = stream.read(12)
    except OSError:
        return False
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS


def register_heif(file: Path) -> None:
    """Let Pillow read HEIC."""
    try:
        import pillow_heif
    except ImportError as error:
        raise RelocError(
            f"'{file}' is a HEIC image, which takes pillow-heif to read: pip install pillow-heif, or export JPEG"
        ) from error
    pillow_heif.register_heif_opener()


def _positive(value: Any) -> float | None:
    """A number above zero, or None: a ratio of 0/0 is not a number, and some cameras write 0 for unknown."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _are_near(one: float | None, other: float | None, share: float) -> bool:
    return one is None or other is None or abs(one - other) <= share * max(one, other)
