"""Videos as phones write them: turned or mirrored, of a varying rate, trimmed, in ten bits."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from reloc_ros.offline.running.video_writer import video_writer

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="ffmpeg is not installed (Debian: ffmpeg)"
)
MATRICES = {
    "left": (0, 1, -1, 0),
    "bottom": (-1, 0, 0, -1),
    "right": (0, -1, 1, 0),
    "top, mirrored": (-1, 0, 0, 1),
    "bottom, mirrored": (1, 0, 0, -1),
    "left, mirrored": (0, 1, 1, 0),
    "right, mirrored": (0, -1, -1, 0),
}
"""a b c d of what a track header shows pictures by, by the side that is then up."""
QUICKLY = {"preset": "ultrafast"}
"""How x265 writes HEIC eight times as fast, in files a sixth larger."""


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def write_mp4(file: Path, frames: Sequence[np.ndarray], rate_hz: float = 30) -> Path:
    with video_writer(file, rate_hz) as write:
        for frame in frames:
            write(frame)
    return file


def show_by(file: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a matrix into the track header of an MP4, as a phone that was held otherwise does."""
    data = bytearray(file.read_bytes())
    header = data.index(b"tkhd") + 4
    a, b, c, d = (number << 16 for number in matrix)
    struct.pack_into(">9i", data, header + (52 if data[header] else 40), a, b, 0, c, d, 0, 0, 0, 1 << 30)
    file.write_bytes(data)
    return file


def vary_rate(file: Path, target: Path, after: int, slower: int = 3, rate_hz: int = 30) -> list[float]:
    """The same frames, those from number `after` on so many times slower; returns when each is shown, in seconds."""
    count = f"if(lt(N,{after}),N,{after}+(N-{after})*{slower})"
    ffmpeg("-i", file, "-vf", f"setpts='{count}/{rate_hz}/TB'", "-vsync", "vfr", "-q:v", 2, target)
    return [(n if n < after else after + (n - after) * slower) / rate_hz for n in range(2 * after)]
