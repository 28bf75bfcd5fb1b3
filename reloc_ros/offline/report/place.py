"""The place in a level frame, whether or not the map is aligned: for plots from above and from the side, and in 3D."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.geometry import SE3
from reloc_ros.offline.model.colmap_records import read_images
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.report.charts import BOTTOM, LEFT, RIGHT, TOP, Axis, Plot
from reloc_ros.offline.report.collect import DISAGREES, Facts

Array = NDArray[np.float64]

MOST_POINTS = 25_000
"""More take too many bytes, and more time than a turning hand waits."""
EXTENT_QUANTILES = (0.03, 0.97)
"""Points far out would leave the place itself a spot."""
_STEPS = 65535
MARGIN = 0.06
"""Around what a plot of the place shows, as a share of its extent."""
MAX_HEIGHT = 420
LARGE = 1e4
"""Coordinates of so many times what a plot shows hardly differ, as written."""
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


def place_plot(points: NDArray[np.float64], axes: tuple[str, str], width: int = 500) -> Plot:
    """A plot that holds points (N, 2), to one scale in both directions."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, span = (low + high) / 2, np.maximum(high - low, 1e-9)
    span = np.maximum(span, 0.3 * span.max()) * (1 + 2 * MARGIN)
    inner = width - LEFT - RIGHT
    px_per_unit = min(inner / span[0], MAX_HEIGHT / span[1])
    half = np.array([inner, px_per_unit * span[1]]) / px_per_unit / 2
    x, y = (_place_axis(name, middle[i] - half[i], middle[i] + half[i]) for i, name in enumerate(axes))
    return Plot(x, y, width, round(px_per_unit * span[1]) + TOP + BOTTOM)


def _place_axis(name: str, low: float, high: float) -> Axis:
    """Along it, coordinates as large as projected ones are written from a round origin, which its name tells."""
    if max(abs(low), abs(high)) < LARGE * (high - low):
        return Axis(name, low, high)
    step = 10.0 ** np.ceil(np.log10(high - low))
    origin = step * np.floor(low / step)
    quantity, unit = name.rsplit(", ", 1)
    sign = "-" if origin > 0 else "+"
    return Axis(
        f"{quantity} {sign} {abs(origin):,.10g}, {unit}",
        low,
        high,
        tell=lambda value: f"{step * round((value - origin) / step, 6):g}",
    )


def axis_names(facts: Facts, ground: Ground, a: int, b: int) -> tuple[str, str]:
    names = ("x", "y", "z") if ground.is_map else ("across", "along", "up")
    return f"{names[a]}, {facts.unit}", f"{names[b]}, {facts.unit}"


def scene(facts: Facts, ground: Ground) -> dict[str, Any]:
    """Positions in the ground frame, their middle at zero, as JSON values."""
    middle, radius = _extent(facts, ground)
    points, colors = _points(facts.known, ground, middle, 3 * radius)
    span = max(float(np.abs(points).max(initial=0)), 1e-9)
    steps = np.rint((points / span + 1) / 2 * _STEPS).astype("<u2")
    landmarks = []
    if facts.landmarks is not None:
        landmarks = np.round(ground.apply(facts.landmarks.positions_map) - middle, 4).tolist()
    return {
        "points": _text(steps),
        "colors": _text(colors),
        "span": span,
        "radius": radius,
        "yaw": _yaw(ground.apply(facts.model.rotations[:, 2])),
        "cameras": _cameras(facts, ground, middle, 0.06 * radius),
        "landmarks": landmarks,
    }


def _extent(facts: Facts, ground: Ground) -> tuple[NDArray[np.float64], float]:
    """The middle of what is worth seeing, and how far it reaches: most points, or the landmarks, and the cameras."""
    points = facts.model.points_map if facts.landmarks is None else facts.landmarks.positions_map
    low, high = np.quantile(ground.apply(points), EXTENT_QUANTILES, axis=0)
    cameras = ground.apply(facts.model.centers_map)
    low, high = np.minimum(low, cameras.min(axis=0)), np.maximum(high, cameras.max(axis=0))
    middle = (low + high) / 2
    return middle, max(0.85 * float(np.linalg.norm(high - low) / 2), 1e-9)


def _yaw(forward: NDArray[np.float64]) -> float:
    """The turn about the vertical at which one looks as the cameras (I, 3) do on the mean; any where they differ."""
    x, y, _ = forward.mean(axis=0)
    return float(np.arctan2(-x, y))


def _points(
    model: SfmModel, ground: Ground, middle: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The points near enough; where they are too many, those that most images saw."""
    points = ground.apply(model.points_map) - middle
    rows = np.flatnonzero(np.linalg.norm(points, axis=1) < reach)
    best = np.argsort(-model.track_lengths[rows], kind="stable")[:MOST_POINTS]
    rows = np.sort(rows[best])
    return points[rows], model.colors[rows]


def _cameras(facts: Facts, ground: Ground, middle: NDArray[np.float64], size: float) -> list[dict[str, Any]]:
    """Each camera's centre and the corners of its picture, from the top left around; those left out have `h` 2."""
    told = {outcome.name: _outcome_told(outcome) for score in facts.ours[:1] for outcome in score.outcomes}
    model = facts.model
    lenses = [model.camera(index) for index in range(len(model.names))]
    drawn = list(zip(model.names, model.camera_from_map, lenses, facts.held_out.astype(int), strict=True))
    drawn += [(name, pose, model.main_camera, 2) for name, pose in _left_out_poses(facts).items()]
    cameras = []
    for name, pose, camera, kind in drawn:
        x, y = size * camera.width / (2 * camera.fx), size * camera.height / (2 * camera.fx)
        corners = np.array([[0, 0, 0], [-x, -y, size], [x, -y, size], [x, y, size], [-x, y, size]])
        places = ground.apply(pose.inverse().apply(corners)) - middle
        entry = {"n": name, "p": np.round(places, 4).tolist(), "h": int(kind)}
        cameras.append(entry | ({"t": told[name]} if name in told else {}))
    return cameras


def _left_out_poses(facts: Facts) -> dict[str, SE3]:
    """camera_from_map of images that were placed, and left out since their matches do not agree with that."""
    file = facts.workspace.path / "sfm" / "sparse" / "0" / "images.bin"
    dropped = facts.left_out.get(DISAGREES)
    if not dropped or not file.is_file():
        return {}
    made = {image.name: image.camera_from_map for image in read_images(file)}
    rows = [row for row, name in enumerate(facts.model.names) if name in made]
    if len(rows) < 3:
        return {}
    poses = [made[facts.model.names[row]] for row in rows]
    # The map is what was made in another frame and scale: all images tell the same turn, the far ones the scale best.
    rotation = facts.model.rotations[rows[0]].T @ poses[0].rotation
    centers = np.array([pose.center for pose in poses])
    spreads = [np.linalg.norm(x - x.mean(axis=0)) for x in (facts.model.centers_map[rows], centers)]
    scale = float(spreads[0] / max(spreads[1], 1e-12))
    shift = facts.model.centers_map[rows[0]] - scale * rotation @ centers[0]
    map_from_made = Similarity(scale, rotation, shift)
    return {name: map_from_made.move_camera(made[name]) for name in dropped if name in made}


def _outcome_told(outcome: Any) -> str:
    if outcome.reason is not None:
        return f"lost: {outcome.reason.replace('_', ' ')}"
    return f"{outcome.rotation_deg:.2f}°, {outcome.position_percent:.2f} %"


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
