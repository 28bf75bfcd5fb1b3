"""What a photograph says of itself: its camera and field of view, and which side of it is up."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError

TOPS = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "left", 7: "right", 8: "right"}
"""By EXIF's orientation, the side of the stored picture that is up; 2, 4, 5 and 7 are mirrored."""
ORIENTATION = 0x0112
_WIDTH, _HEIGHT = 0x0100, 0x0101
_MAKE, _MODEL, _EXIF = 0x010F, 0x0110, 0x8769
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM, _ZOOM, _LENS = 0x920A, 0xA405, 0xA404, 0xA434
_OF_THE_VIEW = (_FOCAL_LENGTH, _FOCAL_LENGTH_35MM, _ZOOM, _LENS)
_SAME_FOCAL_LENGTH = 0.02
"""Share by which what lenses note of one setting may differ."""
_SAME_35MM = 0.04
"""It is noted in whole millimetres."""


_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_MAGIC = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG"),
    ("BMP", rb"BM"),
    ("PNM", rb"P[1-6]\s"),
    ("TIFF", rb"II\*\0|MM\0\*"),
    ("WebP", rb"RIFF....WEBP"),
    ("HEIC", rb"....ftyp(" + b"|".join(_HEIF_BRANDS) + rb")"),
    ("AVIF", rb"....ftypavi[fs]"),
)


def photo_kind(file: Path) -> str:
    """The format of an image by its contents, whatever it is called; empty for one that is not known."""
    try:
        with file.open("rb") as stream:
            head = stream.read(12)
    except OSError:
        return ""
    return next((kind for kind, magic in _MAGIC if re.match(magic, head, re.DOTALL)), "")


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
    orientation: int | None
    """How the stored picture is to be shown, 1 to 8 as EXIF counts; None if nobody noted it."""

    @property
    def top(self) -> str | None:
        """The side that is up, left, right, top or bottom."""
        return TOPS.get(self.orientation)


def read_exif(file: Path) -> Noted | None:
    """None of a file that is damaged: whoever reads the pixels says what is wrong."""
    if photo_kind(file) == "HEIC":
        register_heif(file)
    pillow = pillow_image()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of EXIF that ends too soon
            with pillow.open(file) as image:
                exif, info, mode = image.getexif(), image.info, image.mode
                is_tiff = image.format == "TIFF"  # of which some versions of Pillow give the size when turned
                size = (exif[_WIDTH], exif[_HEIGHT]) if is_tiff else image.size
                details = exif.get_ifd(_EXIF)
    except (OSError, ValueError, SyntaxError, KeyError):  # Pillow's own are of the first
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
    return Noted(size, mode, lens if camera else None, orientation)


def picture_tops(images_dir: Path, names: Iterable[str]) -> dict[str, str]:
    """The side that is up of those photographs that note it."""
    noted = {name: read_exif(images_dir / name) for name in names}
    return {name: one.top for name, one in noted.items() if one is not None and one.top is not None}


def pillow_image() -> Any:
    """Pillow's module of images, without its limit for those of strangers: phones take 200 megapixels."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    return Image


def register_heif(file: Path) -> None:
    """Let Pillow read HEIC."""
    try:
        import pillow_heif
    except ImportError as error:
        raise RelocError(
            f"'{file}' is a HEIC image, which takes pillow-heif to read: pip install pillow-heif (the extra heic), or "
            "let the phone export JPEG"
        ) from error
    pillow_heif.register_heif_opener()


def _positive(value: Any) -> float | None:
    """A number above zero, or None: a ratio of 0/0 is not a number, and some cameras write 0 for unknown."""
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _are_near(one: float | None, other: float | None, share: float) -> bool:
    return one is None or other is None or abs(one - other) <= share * max(one, other)


def exif_for_copy(file: Path) -> bytes:
    """The EXIF data that a copy in another format is to have: what `read_exif` and COLMAP look at."""
    pillow = pillow_image()
    with pillow.open(file) as image:
        noted, copied = image.getexif(), pillow.Exif()
        orientation = image.info.get("original_orientation") or noted.get(ORIENTATION)
        details = noted.get_ifd(_EXIF)
    for tag in (_MAKE, _MODEL):
        if tag in noted:
            copied[tag] = noted[tag]
    if orientation:
        copied[ORIENTATION] = orientation
    copied.get_ifd(_EXIF).update({tag: details[tag] for tag in _OF_THE_VIEW if tag in details})
    return copied.tobytes()
