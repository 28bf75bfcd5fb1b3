"""Images on disk that are read when their pixels are needed, so that those of a large map take no memory."""

from __future__ import annotations

import functools
import os
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image that `np.asarray` reads, each time anew."""

    shape: tuple[int, ...]
    """Of the pixels, (H, W, 3) in BGR."""
    read: Callable[[], Image]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Image:
        return self.read()


class ImageStore:
    """A file without a name that images are put into; it is gone once nobody can ask for any of them."""

    def __init__(self, folder: Path | None) -> None:
        """Start one in a folder, which needs room for all of them; without one, where temporary files go."""
        self._file = unnamed_file(folder)
        weakref.finalize(self, self._file.close)

    def put(self, image: Image) -> StoredImage:
        """Write an image as it is, and let it be read from any thread."""
        place = self._file.tell()
        add_to(self._file, np.ascontiguousarray(image))
        return StoredImage(image.shape, functools.partial(self._read, place, image.shape))

    def _read(self, place: int, shape: tuple[int, ...]) -> Image:
        data = os.pread(self._file.fileno(), int(np.prod(shape)), place)
        return np.frombuffer(data, np.uint8).reshape(shape)


def unnamed_file(folder: Path | None) -> BinaryIO:
    """A file that is gone once it is closed, in a folder or where temporary files go."""
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise _cannot(error) from error


def add_to(file: BinaryIO, data: NDArray[np.uint8]) -> None:
    """Write bytes to the end of an unnamed file, from where any thread can read them."""
    try:
        file.write(data)
        file.flush()
    except OSError as error:
        raise _cannot(error) from error


def _cannot(error: OSError) -> RelocError:
    return RelocError(f"what is trained on cannot be put on disk: {error}")
