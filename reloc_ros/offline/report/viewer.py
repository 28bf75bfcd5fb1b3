"""What the page's 3D view shows: points, cameras and landmarks, few bytes each."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.report.collect import Facts
from reloc_ros.offline.report.ground import Ground

MOST_POINTS = 25_000
"""More take too many bytes, and more time than a turning hand waits."""
EXTENT_QUANTILES = (0.03, 0.97)
"""Points far out would leave the place itself a spot."""
_STEPS = 65535


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
    """Each camera's centre and the corners of its picture, from the top left around."""
    told = {outcome.name: _outcome_told(outcome) for score in facts.ours[:1] for outcome in score.outcomes}
    cameras = []
    for index, (name, pose) in enumerate(zip(facts.model.names, facts.model.camera_from_map, strict=True)):
        camera = facts.model.camera(index)
        x, y = size * camera.width / (2 * camera.fx), size * camera.height / (2 * camera.fx)
        corners = np.array([[0, 0, 0], [-x, -y, size], [x, -y, size], [x, y, size], [-x, y, size]])
        places = ground.apply(pose.inverse().apply(corners)) - middle
        entry = {"n": name, "p": np.round(places, 4).tolist(), "h": int(facts.held_out[index])}
        cameras.append(entry | ({"t": told[name]} if name in told else {}))
    return cameras


def _outcome_told(outcome: Any) -> str:
    if outcome.reason is not None:
        return f"lost: {outcome.reason.replace('_', ' ')}"
    return f"{outcome.rotation_deg:.2f}°, {outcome.position_percent:.2f} %"


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
