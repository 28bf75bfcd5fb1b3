"""A level frame to look at the place from above and from the side in, whether or not the map is aligned."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.model.sfm import SfmModel

Array = NDArray[np.float64]

_AGREES = np.cos(np.radians(20))


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
    """Axes of the pictures: `across` and `along` are level, the third points up."""

    ground_from_map: Array
    """(3, 3) rows: across, along, up."""
    is_map: bool
    """Whether these are the map's own axes, x, y and z."""

    def apply(self, vectors_map: Array) -> Array:
        return vectors_map @ self.ground_from_map.T


def ground_of(model: SfmModel) -> Ground:
    """The map's own axes where its z is up, else up as the cameras tell, the widest level direction across."""
    up = up_by_cameras(model)
    if up[2] > _AGREES:
        return Ground(np.eye(3), True)
    level = model.centers_map - model.centers_map.mean(axis=0)
    level -= np.outer(level @ up, up)
    across = np.linalg.svd(level)[2][0]
    across -= (across @ up) * up
    if np.linalg.norm(across) < 1e-6:  # a single place, or a line straight up
        across = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    across /= np.linalg.norm(across)
    return Ground(np.stack([across, np.cross(up, across), up]), False)


def up_by_cameras(model: SfmModel) -> Array:
    """(3,) unit vector: people hold cameras level, so that one axis of the picture is always near the horizon.

    The axis that is, x, or y of a camera held upright as a page, spans a plane over the images, and up is across that
    plane. It is on the side of the pictures' tops; of pictures that lie on their side it is where the cameras are,
    seen from the points: one mostly looks a little down.
    """
    x_axes, y_axes = model.rotations[:, 0], model.rotations[:, 1]
    best = min((np.linalg.eigh(axes.T @ axes / len(axes)) for axes in (x_axes, y_axes)), key=_flatness)
    up = best[1][:, 0]
    if abs((y_axes @ up).mean()) > abs((x_axes @ up).mean()):
        towards = -y_axes.mean(axis=0)
    else:
        towards = np.median(model.centers_map, axis=0) - np.median(model.points_map, axis=0)
    return up if towards @ up >= 0 else -up


def _flatness(eigen: tuple[Array, Array]) -> float:
    return float(eigen[0][0] / max(eigen[0][1], 1e-9))


def roll_quarter(model: SfmModel, ground: Ground) -> int:
    """How most pictures were held: 0 upright, 1 with the picture's x axis up, 3 with it down, 2 upside down."""
    up = ground.ground_from_map[2]
    x_up, y_up = model.rotations[:, 0] @ up, model.rotations[:, 1] @ up
    quarters = np.rint(np.arctan2(x_up, -y_up) / (np.pi / 2)).astype(int) % 4
    return int(np.bincount(quarters, minlength=4).argmax())
