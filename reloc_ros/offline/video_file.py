"""Write a video that ffprobe, VLC and OpenCV read, without codecs beyond those of OpenCV's own wheels."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.atomic import atomic_path
from reloc_ros.errors import RelocError


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], rate_hz: float) -> None:
    """Write frames (H, W, 3) BGR, all of one even height and width, as MPEG-4 Part 2 in .mp4, atomically.

    Raises:
        RelocError: the video cannot be written.
    """
    frames = iter(frames)
    first = next(frames)
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"a video needs an even width and height, not {width}x{height}")
    with atomic_path(path) as temporary:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), rate_hz, (width, height))
        if not writer.isOpened():
            raise RelocError(f"cannot write the video '{path}'; is OpenCV built with FFmpeg?")
        try:
            for frame in itertools.chain([first], frames):
                if frame.shape != first.shape:  # the writer would leave it out without a word
                    raise ValueError(f"frame of shape {frame.shape} among those of {first.shape}")
                writer.write(frame)
        finally:
            writer.release()
