"""Pictures with known poses for the load measurement: the demo's walk at the camera's own rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reloc_ros.demo.film.rendered_walk import RenderedWalk

SECONDS = 8.0
"""Of the walk, from its start, where the room is in view."""


def rendered_walk(cache_dir: Path, rate_hz: float) -> tuple[Path, Path]:
    """A folder of pictures, and the TUM file with the pose of each; they are rendered the first time."""
    walk = RenderedWalk.within(cache_dir, rate_hz, SECONDS)
    if walk.ready() < len(walk):
        print(f"rendering {len(walk)} pictures into {walk.folder}, only this once", flush=True)
        walk.render_missing()
    truth = walk.folder / "truth.tum"
    rows = []
    for time_s, camera_from_map in zip(walk.trajectory.times_s, walk.trajectory.camera_from_map, strict=True):
        map_from_camera = camera_from_map.inverse()
        w, x, y, z = map_from_camera.quaternion_wxyz
        rows.append([time_s, *map_from_camera.translation, x, y, z, w])
    np.savetxt(truth, rows)
    return walk.folder, truth
