"""Predict how many landmarks a camera would find anywhere around the mapping walk: where it will be lost.

A landmark is expected where a map view that looked at it from about there saw it, and not where such a view did not,
or where none did. With the network's success on held-out images the count becomes the number of landmarks found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.measuring.scores import Score
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.report.place import Ground, roll_quarter
from reloc_ros.pose.acceptance import LocalizerConfig
from reloc_ros.scene_size import median_distance

Array = NDArray[np.float64]

ANGLE_SIGMA = np.radians(12)
"""How far the direction to a landmark may differ from that of a view that saw it."""
DISTANCE_SIGMA = 0.35
"""The same for the distance, as the logarithm of a factor."""
PRIOR = 0.1
"""The weight of having no view near: one that is 2.1 sigma away weighs as much."""
HEADINGS = 16
ACROSS = 30
"""Cells along the longer side of the region; the other sides in proportion."""
MAX_LEVELS = 9
SURROUNDINGS = 0.6
"""How far beyond the cameras the region goes, as a share of their longest extent."""
LEAST_REGION = 0.3
"""Where the cameras hardly moved, the region is as if they had by this share of the distance to the landmarks."""
LESS_UP = np.array([1.0, 1.0, 0.4])
"""People and robots move about more than up."""
_BATCH = 128

FEWEST = LocalizerConfig().min_inliers
LIMITS = (FEWEST, 2 * FEWEST, 4 * FEWEST)
"""Expected landmarks from which on a pose is not ruled out, likely, and safe."""
CLASSES = ("lost", "at risk", "found", "found surely")


class Visible:
    """How surely each landmark is visible from a place, by the map views around."""

    def __init__(self, model: SfmModel, landmarks: Landmarks, labels: Labels) -> None:
        rows = [model.names.index(name) for name in labels.names]
        pixels = labels.keypoints_px.astype(float)
        inside = np.array([model.camera(row).contains(pixels[i]) for i, row in enumerate(rows)])
        self.positions = landmarks.positions_map
        self._states = labels.visibility
        self._known = inside.reshape(len(rows), len(landmarks)) & (self._states != Visibility.UNKNOWN)
        rays = model.centers_map[rows][:, None] - self.positions
        distances = np.maximum(np.linalg.norm(rays, axis=2), 1e-12)
        self._directions, self._logs = rays / distances[..., None], np.log(distances)

    def __call__(self, centers: Array) -> Array:
        """(N, K) from 0 to 1 from places (N, 3), wherever the camera looks."""
        found = np.zeros((len(centers), len(self.positions)), dtype=np.float32)
        for k, position in enumerate(self.positions):
            views = np.flatnonzero(self._known[:, k])
            if len(views) == 0:
                continue
            rays = centers - position
            distances = np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
            angles = np.arccos(np.clip(rays / distances @ self._directions[views, k].T, -1, 1))
            factors = np.log(distances) - self._logs[views, k]
            weights = np.exp(-0.5 * ((angles / ANGLE_SIGMA) ** 2 + (factors / DISTANCE_SIGMA) ** 2))
            seen = self._states[views, k] == Visibility.SEEN
            found[:, k] = weights[:, seen].sum(axis=1) / (weights.sum(axis=1) + PRIOR)
        return found

    def expected(self, camera: Camera, camera_from_map: SE3) -> float:
        """How many landmarks a picture taken there would show."""
        inside = camera.contains(camera.project(camera_from_map.apply(self.positions)))
        return float(self(camera_from_map.center[None])[0, inside].sum())


@dataclasses.dataclass(frozen=True, eq=False)
class LostMap:
    """Expected landmarks over a grid of X x Y x Z places and H headings, the best of a few pitches each."""

    axes: tuple[Array, Array, Array]
    """(X,), (Y,), (Z,) middles of the cells in the ground frame."""
    cell: Array
    """(3,) their size."""
    headings_rad: Array
    """(H,) from the ground's across towards its along."""
    expected: NDArray[np.float32]
    """(X, Y, Z, H)"""

    def scaled(self, factor: float) -> LostMap:
        return dataclasses.replace(self, expected=self.expected * np.float32(factor))


def lost_map(model: SfmModel, visible: Visible, ground: Ground, progress: Progress = silent) -> LostMap:
    """Predict over the region of the map's cameras and some way beyond, at the heights and pitches that they had."""
    camera = model.main_camera
    distance = median_distance(model.centers_map.mean(axis=0), visible.positions)
    axes, cell = _grid(ground.apply(model.centers_map), LEAST_REGION * distance)
    headings = 2 * np.pi * np.arange(HEADINGS) / HEADINGS
    sines = np.clip(ground.apply(model.rotations[:, 2])[:, 2], -1, 1)
    pitches = np.quantile(np.arcsin(sines), (0.1, 0.5, 0.9))
    turns = np.array([[_looking(h, p, roll_quarter(model, ground)) for p in pitches] for h in headings])
    camera_from_map = turns.reshape(-1, 3, 3) @ ground.ground_from_map
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    centers = places @ ground.ground_from_map
    expected = np.zeros((len(centers), HEADINGS), dtype=np.float32)
    for start in range(0, len(centers), _BATCH):
        batch = centers[start : start + _BATCH]
        sure = visible(batch)
        rays = (visible.positions[None] - batch[:, None]).astype(np.float32)
        inside = _inside(rays, camera_from_map.astype(np.float32), camera)
        counts = np.einsum("onk,nk->no", inside, sure).reshape(len(batch), HEADINGS, len(pitches))
        expected[start : start + _BATCH] = counts.max(axis=2)
        progress("where it is lost", min(start + _BATCH, len(centers)), len(centers))
    return LostMap(axes, cell, headings, expected.reshape(*map(len, axes), HEADINGS))


def _grid(centers: Array, least: float) -> tuple[tuple[Array, Array, Array], Array]:
    """The middles of the cells along each axis, and the cells' size."""
    low, high = centers.min(axis=0), centers.max(axis=0)
    beyond = SURROUNDINGS * max(float((high - low)[:2].max()), least)
    low, high = low - beyond * LESS_UP, high + beyond * LESS_UP
    step = float((high - low).max()) / ACROSS
    counts = np.maximum(np.round((high - low) / step).astype(int), 1)
    counts[2] = min(counts[2], MAX_LEVELS)
    edges = [np.linspace(low[i], high[i], counts[i] + 1) for i in range(3)]
    x, y, z = ((edge[1:] + edge[:-1]) / 2 for edge in edges)
    return (x, y, z), (high - low) / counts


def _looking(heading: float, pitch: float, quarter: int) -> Array:
    """(3, 3) camera_from_ground of a camera that looks along a heading, its picture turned by quarters."""
    forward = np.array([np.cos(pitch) * np.cos(heading), np.cos(pitch) * np.sin(heading), np.sin(pitch)])
    right = np.array([np.sin(heading), -np.cos(heading), 0.0])
    down = np.cross(forward, right)
    level = [(right, down), (-down, right), (-right, -down), (down, -right)][quarter]
    return np.stack([*level, forward])


def _inside(rays: NDArray, camera_from_map: NDArray, camera: Camera) -> NDArray[np.float32]:
    """(O, N, K) 1 where a ray (N, K, 3) falls into the picture of a camera turned so (O, 3, 3); lenses as pinholes."""
    x, y, z = np.einsum("oij,nkj->ionk", camera_from_map, rays, optimize=True)
    left, top = (camera.cx + 0.5) / camera.fx, (camera.cy + 0.5) / camera.fy
    right, bottom = (
        (camera.width - 0.5 - camera.cx) / camera.fx,
        (camera.height - 0.5 - camera.cy) / camera.fy,
    )
    return ((z > 0) & (x > -left * z) & (x < right * z) & (y > -top * z) & (y < bottom * z)).astype(
        np.float32
    )


@dataclasses.dataclass(frozen=True)
class Check:
    """The prediction for one held-out image beside what came of it."""

    name: str
    condition: str
    predicted: float
    """Landmarks the picture should show."""
    inliers: int
    localized: bool


def checks(visible: Visible, model: SfmModel, scores: Sequence[Score]) -> list[Check]:
    """Predict for the held-out images from where they were truly taken, and compare."""
    row = {name: index for index, name in enumerate(model.names)}
    predicted: dict[str, float] = {}
    found = []
    for score in scores:
        for outcome in score.outcomes:
            if outcome.name not in row:
                continue
            i = row[outcome.name]
            if outcome.name not in predicted:
                predicted[outcome.name] = visible.expected(model.camera(i), model.camera_from_map[i])
            inliers, localized = int(outcome.inliers.sum()), outcome.reason is None
            found.append(Check(outcome.name, score.condition, predicted[outcome.name], inliers, localized))
    return found


def landmarks_found(of_images: Sequence[Check]) -> float:
    """Which share of the landmarks that were predicted the poses use: the median over the images."""
    shares = [check.inliers / check.predicted for check in of_images if check.predicted >= 1]
    return float(np.median(shares)) if shares else 1.0


def class_of(expected: NDArray | float) -> NDArray[np.int64]:
    """Index into `CLASSES`."""
    return np.searchsorted(LIMITS, expected, side="right")
