"""What the first bytes of a picture say: how large it will be once it is decoded, before memory is taken for that."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from reloc_ros.errors import RelocError

MOST_PIXELS = 1 << 28
"""Phones take 200 million."""

# How data begin, and how a JPEG ends (ITU-T T.81, annex B).
JPEG, PNG = b"\xff\xd8", b"\x89PNG"
_JPEG_END, _START_OF_SCAN = b"\xff\xd9", 0xDA
_WITHOUT_LENGTH = (0x00, 0x01, *range(0xD0, 0xD9), 0xFF)
"""What follows 0xFF and is no segment: stuffing, padding, restarts."""
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Segments with the size."""


def refuse_huge(data: bytes, what: str) -> None:
    """Refuse a JPEG or PNG that would take more memory than any camera's, by what its own head announces.

    Of what else it reads OpenCV takes a thousand million pixels at most.
    """
    refuse_size(picture_size(data) or (0, 0), what)


def refuse_size(size: tuple[int, int], what: str) -> None:
    """Refuse width and height that no camera has."""
    if size[0] * size[1] > MOST_PIXELS:
        raise RelocError(
            f"{what} announces {size[0]}x{size[1]} pixels, more than {MOST_PIXELS}: it is damaged or no camera took it"
        )


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG or PNG; None of anything else, or where they are missing."""
    if data.startswith(PNG) and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    if data.startswith(JPEG):
        for marker, start, end in _segments(data):
            if marker in _FRAMES and end <= len(data) and end - start >= 9:
                height, width = struct.unpack_from(">HH", data, start + 5)
                return width, height
    return None


def is_whole_jpeg(data: bytes) -> bool:
    """Whether the end marker follows the picture; a cut one decodes to a half grey picture.

    What a header holds (a thumbnail has an end, too) does not count, nor does what follows: cameras pad a buffer.
    """
    *_, begin = [len(JPEG), *(end for _, _, end in _segments(data))]
    return data.find(_JPEG_END, begin) >= 0


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each segment of a JPEG, by its marker, before the picture: where it starts and ends."""
    at = len(JPEG)
    while 0 <= (at := data.find(b"\xff", at)) <= len(data) - 4:
        marker, start = data[at + 1], at
        if marker == _START_OF_SCAN:
            return
        at += 1
        if marker not in _WITHOUT_LENGTH:
            at = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
            yield marker, start, at
