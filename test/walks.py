"""Videos of the brightness table's bundle: what each frame's pose is, and where there is none, is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from table_bundle import camera_from_map, view

from reloc_ros.geometry import SE3
from reloc_ros.offline.running.video_writer import video_writer

WALK = (1, 2, 3, 4, 5, 6, 0, 0, 0, 6, 7, 8)
"""Poses of the frames; 0 looks away."""
AWAY = tuple(index for index, pose in enumerate(WALK) if pose == 0)
RATE_HZ = 12.5


def write_walk(path: Path, walk: tuple[int, ...] = WALK) -> Path:
    with video_writer(path, RATE_HZ) as write:
        for index in walk:
            write(view(index))
    return path


def truth(walk: tuple[int, ...] = WALK) -> list[SE3 | None]:
    return [camera_from_map(index) if index else None for index in walk]


def read_tum(path: Path) -> dict[str, np.ndarray]:
    """Time, as it is written, to (7,) tx ty tz qx qy qz qw; read without the package's own reader."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {line.split(" ", 1)[0]: np.array(line.split(" ")[1:], dtype=float) for line in lines}
