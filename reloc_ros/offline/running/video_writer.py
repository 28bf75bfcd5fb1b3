"""Videos that other programs read, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path

Image = NDArray[np.uint8]
CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""What OpenCV's wheels can write, by suffix."""


@contextmanager
def video_writer(path: Path, rate_hz: float) -> Iterator[Callable[[Image], None]]:
    """Takes pictures (H, W, 3) BGR; the file appears when all are written.

    The first picture gives the size; others are fitted into it with black bars. An odd size is made even, as the
    codecs want it, by repeating the last row or column.
    """
    check_video_path(path)
    writer: cv2.VideoWriter | None = None
    size, count = (0, 0), 0

    with atomic_path(path) as temporary:

        def write(picture: Image) -> None:
            nonlocal writer, size, count
            if writer is None:
                size = picture.shape[1], picture.shape[0]
                writer = _open(temporary, path, rate_hz, (size[0] + size[0] % 2, size[1] + size[1] % 2))
            writer.write(_even(_fitted(picture, size)))
            count += 1

        try:
            yield write
        finally:
            if writer is not None:
                writer.release()
        if writer is None:
            raise RelocError(f"there is no picture to write to '{path}'")
        _refuse_loss(temporary, path, count)


def check_video_path(path: Path) -> None:
    """Refuse a name from which no codec follows."""
    if path.suffix.lower() not in CODECS:
        raise RelocError(f"cannot write a video as '{path}'; its name must end in {', '.join(CODECS)}")


def _open(temporary: Path, path: Path, rate_hz: float, size: tuple[int, int]) -> cv2.VideoWriter:
    four_cc = cv2.VideoWriter.fourcc(*CODECS[path.suffix.lower()])
    writer = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, four_cc, rate_hz, size)
    if not writer.isOpened():
        raise RelocError(
            f"cannot write the video '{path}'; may the folder be written, and is OpenCV's FFmpeg there?"
        )
    return writer


def _refuse_loss(temporary: Path, path: Path, count: int) -> None:
    """OpenCV does not tell when the disk is full."""
    capture = cv2.VideoCapture(str(temporary))
    written = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    if written < count - max(1, count // 100):  # some containers only tell about how many
        raise RelocError(
            f"cannot write the video '{path}': {written} of {count} frames arrived; is the disk full?"
        )


def _fitted(picture: Image, size: tuple[int, int]) -> Image:
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    scale = min(size[0] / width, size[1] / height)
    inner = max(1, round(scale * width)), max(1, round(scale * height))
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    framed = np.zeros((size[1], size[0], 3), np.uint8)
    framed[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        picture, inner, interpolation=cv2.INTER_AREA
    )
    return framed


def _even(picture: Image) -> Image:
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        return cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return picture
