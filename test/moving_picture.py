"""Small videos of a camera that slides along a textured wall."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 160, 120


def _wall() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (HEIGHT // 4, 400, 3)).astype(np.uint8)
    return cv2.resize(coarse, (1600, HEIGHT), interpolation=cv2.INTER_CUBIC)


WALL = _wall()
TEXTURE = WALL[:, :WIDTH].copy()


def pan(offsets_px: Sequence[int]) -> list[np.ndarray]:
    """What is seen from each place along the wall, (120, 160, 3)."""
    return [WALL[:, int(offset) : int(offset) + WIDTH].copy() for offset in offsets_px]


def write_video(file: Path, frames: Sequence[np.ndarray], rate_hz: int = 25) -> Path:
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(file), cv2.CAP_OPENCV_MJPEG, codec, rate_hz, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return file
