"""Read .npz files, every kind of damage looking the same, and none taking more memory than the file can fill."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError

Made = TypeVar("Made")

MOST_BYTES = 1 << 30
"""Of all arrays together."""
MOST_BYTES_OF_A_MAP = 1 << 35
"""Where every keypoint of thousands of images is in the file."""
_DEFLATE = 1032
"""A file of zip's own compression is at most that much shorter than what it holds."""
_DAMAGED = (
    OSError,
    EOFError,
    TypeError,
    LookupError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,  # numpy reads a header that Python does not understand once more, by its words
)
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npz(path: Path, most_bytes: int = MOST_BYTES) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file by name; objects of Python, which could do anything, are none.

    Raises:
        FileNotFoundError: when it is not there.
        ValueError: when it is damaged or another kind of file, or larger than `most_bytes` once it is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            announced = sum(member.file_size for member in members)
            if announced > min(most_bytes, _DEFLATE * path.stat().st_size):
                raise ValueError(f"{path} announces {announced} bytes of arrays")
            return {member.filename.removesuffix(".npy"): _read(archive, member) for member in members}
    except FileNotFoundError:
        raise
    except _DAMAGED as error:
        raise ValueError(f"{path} is not a readable .npz file") from error


def load_bundled(
    path: Path,
    kind: str,
    readable: Sequence[int],
    what: str,
    from_arrays: Callable[[dict[str, NDArray[Any]]], Made],
) -> Made:
    """Make of an .npz file of a bundle what was saved in it; anything else is refused with a sentence.

    Args:
        kind: what the file says that it is.
        readable: its formats that this version reads.
        what: it is, for people.
    """
    try:
        data = read_npz(path)
        found, version = str(data["kind"]), whole(data["format"])
        if found != kind:
            raise ValueError(f"it is of kind {found}")
        made = from_arrays(data) if version in readable else None
    except FileNotFoundError as error:
        raise RelocError(f"{path} does not exist; export the bundle again") from error
    except (RelocError, ValueError, KeyError, IndexError, TypeError) as error:
        raise RelocError(f"{path} is not a readable file of {what}; export the bundle again") from error
    if made is None:
        formats = " and ".join(map(str, readable))
        raise RelocError(f"{path} has format {version}; this version reads {formats}")
    return made


def of_kind(array: NDArray[Any], dtype: type) -> NDArray[Any]:
    """An array as another kind of number, which it may be without changing its meaning; ValueError else."""
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise ValueError(f"an array is of {array.dtype}")
    return array.astype(dtype, copy=False)


def whole(array: NDArray[Any]) -> int:
    """The one whole number that an array holds; ValueError where it is another kind of number, or several."""
    return int(of_kind(array, np.int64).item())


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is compressed as no .npz file is")
    with archive.open(member) as start:
        _check_extent(start, member.file_size)
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _check_extent(start: IO[bytes], size: int) -> None:
    """Numpy takes the memory for an array first, and then looks what there is to fill it."""
    shape, _, dtype = _READ_HEADER[np.lib.format.read_magic(start)](start)
    if dtype.hasobject:
        raise ValueError("an array is of Python's objects")
    if math.prod(shape) * dtype.itemsize != size - start.tell():
        raise ValueError("an array is not as large as its header says")
