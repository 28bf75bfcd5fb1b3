"""Decide which landmark is visible in which map image, by depth, by appearance, or by rays through voxels.

Only what is certain trains the network: a landmark that may or may not be visible is neither a positive nor a
negative (Scene Landmark Detection, 3DV 2024, found such labels worth several points of recall). The thresholds are
tuned on rendered rooms, where what is visible is known; `reloc_ros.bench.labels` measures them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import (
    Labels,
    Visibility,
    observed_landmarks,
    observed_pairs,
    unlabelled,
)
from reloc_ros.offline.landmarks.visibility_appearance import likeness
from reloc_ros.offline.landmarks.visibility_rays import VoxelGrid
from reloc_ros.offline.model.sfm import SfmModel, rows_of_groups
from reloc_ros.offline.progress import Progress, silent

NEIGHBOUR_RADIUS = 0.03
"""Observed points within this share of the image width around a landmark say what is in front of it."""
NEIGHBOURS = 16
"""Of them, only so many, the nearest."""
SAME_DEPTH = 0.05
"""Relative depth difference within which a neighbour lies on the landmark's surface."""
IN_FRONT = 0.10
"""Relative depth by which a neighbour must be nearer to count as an occluder."""
CONE_MARGIN_DEG = 12.0
"""A view this far outside the angles a landmark was seen from may still see it."""
TURNED_AWAY_DEG = 100.0
"""A view this far from the middle of those angles looks at the landmark's back."""
ALIKE = 0.8
"""A patch that correlates so well with one of the landmark shows the landmark."""
ALIKE_ON_SURFACE = 0.5
"""The same where the points around lie at its depth, however far the view is outside its angles."""
UNLIKE = 0.2
"""A patch that correlates no better than this is not certain to show it, though the depths say so."""
VOXEL_SIZE = 0.01
"""Side of a voxel as a share of the scene's extent."""
METHODS = ("appearance", "depth", "voxels")

Test = Callable[[int, NDArray[np.float64]], NDArray[np.int8]]
"""(K,) states in an image, given the projections (K, 2) of the landmarks."""


def label_images(
    model: SfmModel,
    landmarks: Landmarks,
    method: str = "depth",
    images_dir: Path | None = None,
    progress: Progress = silent,
    voxel_size: float = VOXEL_SIZE,
) -> Labels:
    """Label every image of `model` (map images only) with every landmark.

    `depth` compares each landmark with the points observed around its projection and with the angles it was seen
    from; `appearance` also compares, where that leaves doubt, what the image shows with what other views showed of
    the landmark, for which it needs the images; `voxels` walks a grid of voxels, `voxel_size` of the scene's extent
    wide, along the ray from the camera, as the first design of this idea did.
    """
    if method not in METHODS:
        raise RelocError(f"unknown visibility test {method!r}; use one of {', '.join(METHODS)}")
    if method == "voxels":
        return _label(model, landmarks, _ray_test(model, landmarks, voxel_size), progress)
    labels = _label(model, landmarks, _depth_test(model, landmarks), progress)
    if method == "depth":
        return labels
    if images_dir is None:
        raise ValueError("appearance needs images_dir")
    alike = likeness(model, landmarks, ~observed_landmarks(model, landmarks), images_dir, progress)
    on_surface = _label(model, landmarks, _depth_test(model, landmarks, cone_margin=np.pi)).visibility
    states = labels.visibility.copy()
    states[(states == Visibility.SEEN) & (alike < UNLIKE)] = Visibility.UNKNOWN
    states[(states == Visibility.HIDDEN) & (alike > ALIKE_ON_SURFACE)] = Visibility.UNKNOWN
    states[(on_surface == Visibility.SEEN) & (alike > ALIKE_ON_SURFACE)] = Visibility.SEEN
    states[alike > ALIKE] = Visibility.SEEN
    return dataclasses.replace(labels, visibility=states)


def _label(model: SfmModel, landmarks: Landmarks, test: Test, progress: Progress = silent) -> Labels:
    labels = unlabelled(model, landmarks)
    inside = labels.visibility == Visibility.UNKNOWN
    for index, states in enumerate(labels.visibility):
        states[:] = test(index, labels.keypoints_px[index].astype(np.float64))
        progress("label", index + 1, len(model.names))
    labels.visibility[observed_landmarks(model, landmarks)] = Visibility.SEEN
    labels.visibility[~inside] = Visibility.HIDDEN
    return labels


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """N pairs of an image and a landmark that it shows, in image order."""

    images: NDArray[np.int64]
    """(N,)"""
    landmarks: NDArray[np.int64]
    """(N,)"""
    keypoints_px: NDArray[np.float32]
    """(N, 2) where in the image."""


def seen_pairs(model: SfmModel, landmarks: Landmarks, progress: Progress = silent) -> Seen:
    """The pairs that `label_images` calls seen by depth, without a table of all images and all landmarks.

    For a choice among many: of a large map, an image's own surroundings are looked at alone.
    """
    tree = cKDTree(landmarks.positions_map)
    images, observed = observed_pairs(model, landmarks)
    found = []
    for image, rows in enumerate(rows_of_groups(images, len(model.names))):
        pose, mine = model.camera_from_map[image], observed[rows]
        near = np.union1d(tree.query_ball_point(pose.center, _reach(model, image)), mine).astype(np.int64)
        some, camera = landmarks.subset(near), model.camera(image)
        pixels = camera.project(pose.apply(some.positions_map))
        keypoints = pixels.astype(np.float32)
        states = _depth_test(model, some)(image, keypoints.astype(np.float64))
        seen = camera.contains(pixels) & ((states == Visibility.SEEN) | np.isin(near, mine))
        found.append((np.full(seen.sum(), image), near[seen], keypoints[seen]))
        progress("label", image + 1, len(model.names))
    return Seen(*map(np.concatenate, zip(*found, strict=True)))


def _reach(model: SfmModel, image: int) -> float:
    """No landmark farther from an image lies at the depth of a point that it observed; with a tenth to spare."""
    observed = model.points_map[model.observation_point[model.observations_of(image)]]
    depths = model.camera_from_map[image].apply(observed)[:, 2]
    return 1.1 * max(depths.max(initial=0), 0) / (1 - SAME_DEPTH) * _obliquity(model.camera(image))


@functools.lru_cache(maxsize=16)
def _obliquity(camera: Camera) -> float:
    """The longest ray of a picture to the plane z = 1; infinite where its border shows what is beside the camera."""
    x, y = np.linspace(0, camera.width - 1, 33), np.linspace(0, camera.height - 1, 33)
    border = [*((u, v) for u in x for v in y[[0, -1]]), *((u, v) for u in x[[0, -1]] for v in y)]
    rays = np.nan_to_num(camera.unproject(border), nan=np.inf)
    return float(np.sqrt(1 + (rays**2).sum(axis=1)).max())


def _ray_test(model: SfmModel, landmarks: Landmarks, voxel_size: float) -> Test:
    """Any occupied voxel between the camera and a landmark hides it."""
    grid = VoxelGrid(model.points_map, voxel_size)

    def test(image: int, _: NDArray[np.float64]) -> NDArray[np.int8]:
        hidden = grid.hides(model.camera_from_map[image].center, landmarks.positions_map)
        return np.where(hidden, Visibility.HIDDEN, Visibility.SEEN).astype(np.int8)

    return test


def _depth_test(
    model: SfmModel, landmarks: Landmarks, cone_margin: float = np.radians(CONE_MARGIN_DEG)
) -> Test:
    """Visibility from the depth of the points observed around a landmark, and from its view cone."""

    def test(image: int, pixels: NDArray[np.float64]) -> NDArray[np.int8]:
        angles = landmarks.view_angles(model.camera_from_map[image].center)
        ratios = _depth_ratios(model, landmarks, image, pixels)
        with np.errstate(invalid="ignore"):
            same = np.count_nonzero(np.abs(ratios - 1) < SAME_DEPTH, axis=1)
            nearer = np.count_nonzero(ratios < 1 - IN_FRONT, axis=1)
        in_cone = angles < landmarks.view_cones_rad + cone_margin
        states = np.full(len(landmarks), Visibility.UNKNOWN, dtype=np.int8)
        states[(same >= 2) & (nearer == 0) & in_cone] = Visibility.SEEN
        states[(nearer >= 3) & (same == 0)] = Visibility.HIDDEN
        states[angles > np.radians(TURNED_AWAY_DEG)] = Visibility.HIDDEN
        return states

    return test


def _depth_ratios(
    model: SfmModel, landmarks: Landmarks, image: int, pixels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K, NEIGHBOURS) depths of the nearest observed points around each projection over its own; NaN where none."""
    pose, camera = model.camera_from_map[image], model.camera(image)
    here = model.observations_of(image)
    ratios = np.full((len(pixels), NEIGHBOURS), np.nan)
    inside = np.flatnonzero(camera.contains(pixels))
    if len(here) == 0 or len(inside) == 0:
        return ratios
    depths_seen = pose.apply(model.points_map[model.observation_point[here]])[:, 2]
    _, nearest = cKDTree(model.observation_px[here]).query(
        pixels[inside], NEIGHBOURS, distance_upper_bound=NEIGHBOUR_RADIUS * camera.width
    )
    depths = pose.apply(landmarks.positions_map[inside])[:, 2:]
    ratios[inside] = np.append(depths_seen, np.nan)[nearest] / depths  # query tells "none" by the count
    return ratios
