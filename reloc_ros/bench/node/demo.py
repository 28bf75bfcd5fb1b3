"""Pictures with known poses for the load measurement: the demo's walk at the camera's own rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reloc_ros.demo.film.reel import Reel

SECONDS = 8.0
"""Of the walk, from its start, where the room is in view."""


def rendered_walk(cache_dir: Path, rate_hz: float) -> tuple[Path, Path]:
    """A folder of pictures, and the TUM file with the pose of each; they are rendered the first time."""
    reel = Reel.within(cache_dir, rate_hz, SECONDS)
    if reel.ready() < len(reel):
        print(f"rendering {len(reel)} pictures into {reel.folder}, only this once", flush=True)
        reel.render_missing()
    truth = reel.folder / "truth.tum"
    rows = []
    for time_s, camera_from_map in zip(reel.trajectory.times_s, reel.trajectory.camera_from_map, strict=True):
        map_from_camera = camera_from_map.inverse()
        w, x, y, z = map_from_camera.quaternion_wxyz
        rows.append([time_s, *map_from_camera.translation, x, y, z, w])
    np.savetxt(truth, rows)
    return reel.folder, truth
