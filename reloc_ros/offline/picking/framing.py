"""From where to look at a map so that one sees it, and at a photograph so that one sees all of it."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.offline.model.sfm import SfmModel

Array = NDArray[np.float64]

BULK = 0.85
"""This share of the cloud is framed; the rest is far away."""
FOV = np.radians(50)
"""Of the view of the whole, from bottom to top."""
MARGIN = 1.05
"""So much more than a photograph is shown when looking through its camera."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """Where to look at a scene from."""

    up: Array
    """(3,) unit vector."""
    center: Array
    """(3,) the middle of the bulk of the points."""
    radius: float
    """Of the ball around it that holds the bulk."""
    eye: Array
    """(3,) from where all of the ball is seen."""


def frame_scene(model: SfmModel, metric: bool) -> Frame:
    """A view of the bulk of the cloud, from the side that the cameras were on, and a little above.

    In a metric map z is up; in another, where the cameras had up on average.
    """
    up = np.array([0.0, 0.0, 1.0]) if metric else -_unit(model.rotations[:, 1].sum(axis=0))
    center = np.median(model.points_map, axis=0)
    distances = np.linalg.norm(model.points_map - center, axis=1)
    radius = float(np.quantile(distances, BULK))
    side = (model.centers_map - center).mean(axis=0)
    side -= (side @ up) * up
    if np.linalg.norm(side) < 0.1 * radius:  # taken from all around, or in the middle of a room
        side = model.centers_map[0] - center
        side -= (side @ up) * up
    if np.linalg.norm(side) < 1e-6 * radius:
        side = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    eye = center + _unit(_unit(side) + 0.5 * up) * radius / np.sin(FOV / 2)
    return Frame(up, center, radius, eye)


def vertical_fov(camera: Camera) -> float:
    """Radians; of the pinhole part."""
    return float(2 * np.arctan(camera.height / 2 / camera.fy))


def fitted_fov(camera: Camera, aspect: float) -> float:
    """The vertical field of view, radians, of a window of this width over height that shows all of a photograph."""
    across, down = camera.width / 2 / camera.fx, camera.height / 2 / camera.fy
    return float(2 * np.arctan(MARGIN * max(down, across / aspect)))


def _unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
