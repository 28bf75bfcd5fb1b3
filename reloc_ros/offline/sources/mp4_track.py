"""What an MP4 or QuickTime file says of its video that OpenCV does not tell: mirrored pictures, and edits.

ISO/IEC 14496-12: a file is boxes within boxes; `moov` holds the tracks, `tkhd` the matrix that shows a track's
pictures, `elst` which part of it is shown.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MOST_BYTES = 256 << 20
"""A larger index is damage, not an index."""
_UNITY = 1 << 16
_EMPTY_EDIT = -1


@dataclass(frozen=True)
class Mp4Track:
    """The first video track of a file."""

    top: str | None
    """The side of the stored pictures that is up when they are shown, mirrored or not; None where they are shown
    as they are, which cameras write that know no better, too."""
    shown_s: float | None
    """How long what its edit list leaves of it is; None without one."""


def read_mp4_track(path: Path) -> Mp4Track | None:
    """None for a file of another kind, or one that is damaged: whoever decodes it says so."""
    try:
        index = _index(path)
        if index is None:
            return None
        (header,) = _named(index, b"mvhd")
        units_per_s = struct.unpack_from(">I", header, 20 if header[0] else 12)[0]
        for track in _named(index, b"trak"):
            if _inside(track, b"mdia", b"hdlr")[8:12] == b"vide":
                (about,) = _named(track, b"tkhd")
                return Mp4Track(_top(about), _shown_s(track, units_per_s))
    except (OSError, ValueError, IndexError, struct.error, ArithmeticError):
        return None
    return None


def _index(path: Path) -> bytes | None:
    """What is in `moov`; the pictures themselves, which are most of the file, are passed over."""
    with path.open("rb") as stream:
        end = path.stat().st_size
        while stream.tell() + 8 <= end:
            start = stream.tell()
            size, kind = struct.unpack(">I4s", stream.read(8))
            size = struct.unpack(">Q", stream.read(8))[0] if size == 1 else size or end - start
            if size < 8 or (
                start == 0 and kind not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
            ):
                return None
            if kind == b"moov":
                return stream.read(size - 8) if size <= _MOST_BYTES else None
            stream.seek(start + size)
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if size < 8:
            return
        yield kind, data[place + 8 : place + size]
        place += size


def _named(data: bytes, kind: bytes) -> list[bytes]:
    return [inside for name, inside in _boxes(data) if name == kind]


def _inside(data: bytes, *kinds: bytes) -> bytes:
    for kind in kinds:
        data = _named(data, kind)[0]
    return data


def _top(about: bytes) -> str | None:
    """By the matrix a b u c d v x y w of 16.16 numbers, which moves a stored pixel down to `b x + d y`."""
    a, b, _, _, d, *_ = struct.unpack_from(">9i", about, 52 if about[0] else 40)
    if (a, d) == (_UNITY, _UNITY):
        return None
    if abs(d) >= abs(b):
        return "top" if d > 0 else "bottom"
    return "left" if b > 0 else "right"


def _shown_s(track: bytes, units_per_s: int) -> float | None:
    edits = _named(track, b"edts")
    if not edits:
        return None
    edit_list = _inside(edits[0], b"elst")
    row = ">Qqi" if edit_list[0] else ">Iii"
    rows = list(struct.iter_unpack(row, edit_list[8 : 8 + struct.calcsize(row) * _count(edit_list)]))
    return sum(length for length, begin, _ in rows if begin != _EMPTY_EDIT) / units_per_s or None


def _count(full_box: bytes) -> int:
    return struct.unpack_from(">I", full_box, 4)[0]
