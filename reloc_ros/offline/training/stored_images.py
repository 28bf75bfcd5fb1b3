"""Images on disk that are read whenever their pixels are needed, so that a large map's take no memory."""

from __future__ import annotations

import functools
import os
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, it is closed with the last image
        except OSError as error:
            raise _cannot(error) from error
        weakref.finalize(self, self._file.close)

    def put(self, image: Image) -> StoredImage:
        """Write an image as it is, and let it be read from any thread."""
        try:
            place = self._file.tell()
            self._file.write(np.ascontiguousarray(image))
            self._file.flush()
        except OSError as error:
            raise _cannot(error) from error
        return StoredImage(image.shape, functools.partial(self._read, place, image.shape))

    def _read(self, place: int, shape: tuple[int, ...]) -> Image:
        data = os.pread(self._file.fileno(), int(np.prod(shape)), place)
        return np.frombuffer(data, np.uint8).reshape(shape)


def _cannot(error: OSError) -> RelocError:
    return RelocError(f"the images to train on cannot be put on disk: {error}")
