"""Decide which landmark is visible in which map image: seen, hidden, or unknown.

Only what is certain trains the network: a landmark that may or may not be visible is neither a positive nor a
negative (Scene Landmark Detection, 3DV 2024, found such labels worth several points of recall).
"""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.errors import RelocError
from reloc_ros.io.npz import read_npz
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.appearance import likeness, observed_landmarks
from reloc_ros.offline.landmarks.voxels import VoxelGrid
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent

FORMAT = 1

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


class Visibility(enum.IntEnum):
    UNKNOWN = -1
    HIDDEN = 0
    SEEN = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """What each map image shows of each landmark."""

    names: tuple[str, ...]
    """The I map images."""
    keypoints_px: NDArray[np.float32]
    """(I, K, 2) projections in image pixels; NaN behind the camera."""
    visibility: NDArray[np.int8]
    """(I, K) of `Visibility`; a landmark outside the image is HIDDEN."""

    def save(self, path: Path) -> None:
        """Write as .npz to `path`; the caller makes that atomic."""
        with path.open("wb") as stream:
            np.savez_compressed(
                stream,
                format=FORMAT,
                names=np.array(self.names),
                keypoints_px=self.keypoints_px,
                visibility=self.visibility,
            )

    @staticmethod
    def load(path: Path) -> Labels:
        try:
            data = read_npz(path)
            if int(data["format"]) != FORMAT:
                raise RelocError(
                    f"{path} has label format {int(data['format'])}; this version reads {FORMAT}"
                )
            return Labels(tuple(data["names"].tolist()), data["keypoints_px"], data["visibility"])
        except FileNotFoundError as error:
            raise RelocError(f"{path} does not exist; run reloc label first") from error
        except (ValueError, KeyError) as error:
            raise RelocError(f"{path} is not a readable label file; run reloc label again") from error


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
        return _label(model, landmarks, VoxelTest(model, landmarks, voxel_size), progress)
    labels = _label(model, landmarks, DepthTest(model, landmarks), progress)
    if method == "depth":
        return labels
    if images_dir is None:
        raise ValueError("appearance needs images_dir")
    alike = likeness(model, landmarks, ~observed_landmarks(model, landmarks), images_dir, progress)
    on_surface = _label(model, landmarks, DepthTest(model, landmarks, cone_margin=np.pi)).visibility
    states = labels.visibility.copy()
    states[(states == Visibility.SEEN) & (alike < UNLIKE)] = Visibility.UNKNOWN
    states[(states == Visibility.HIDDEN) & (alike > ALIKE_ON_SURFACE)] = Visibility.UNKNOWN
    states[(on_surface == Visibility.SEEN) & (alike > ALIKE_ON_SURFACE)] = Visibility.SEEN
    states[alike > ALIKE] = Visibility.SEEN
    return dataclasses.replace(labels, visibility=states)


def _label(
    model: SfmModel, landmarks: Landmarks, test: DepthTest | VoxelTest, progress: Progress = silent
) -> Labels:
    observed = observed_landmarks(model, landmarks)
    labels = unlabelled(model, landmarks)
    inside = labels.visibility == Visibility.UNKNOWN
    for index, states in enumerate(labels.visibility):
        states[:] = test(index, labels.keypoints_px[index].astype(np.float64))
        progress("label", index + 1, len(model.names))
    labels.visibility[observed] = Visibility.SEEN
    labels.visibility[~inside] = Visibility.HIDDEN
    return labels


def unlabelled(model: SfmModel, landmarks: Landmarks) -> Labels:
    """The projections alone: each landmark unknown where it projects into the image, hidden elsewhere."""
    keypoints, states = [], []
    for index, pose in enumerate(model.camera_from_map):
        camera = model.camera(index)
        pixels = camera.project(pose.apply(landmarks.positions_map))
        keypoints.append(pixels.astype(np.float32))
        states.append(np.where(camera.contains(pixels), Visibility.UNKNOWN, Visibility.HIDDEN))
    return Labels(model.names, np.stack(keypoints), np.stack(states).astype(np.int8))


class DepthTest:
    """Visibility from the depth of the points observed around a landmark, and from its view cone."""

    def __init__(
        self, model: SfmModel, landmarks: Landmarks, cone_margin: float = np.radians(CONE_MARGIN_DEG)
    ) -> None:
        self._model = model
        self._landmarks = landmarks
        self._cone_margin = cone_margin

    def __call__(self, image: int, pixels: NDArray[np.float64]) -> NDArray[np.int8]:
        """(K,) states in one image, from (K, 2) projections."""
        landmarks, pose = self._landmarks, self._model.camera_from_map[image]
        rays = pose.center - landmarks.positions_map
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        angles = np.arccos(np.clip(np.einsum("ij,ij->i", rays, landmarks.directions_map), -1, 1))
        ratios = self._depth_ratios(image, pixels)
        with np.errstate(invalid="ignore"):
            same = np.count_nonzero(np.abs(ratios - 1) < SAME_DEPTH, axis=1)
            nearer = np.count_nonzero(ratios < 1 - IN_FRONT, axis=1)
        in_cone = angles < landmarks.view_cones_rad + self._cone_margin
        states = np.full(len(landmarks), Visibility.UNKNOWN, dtype=np.int8)
        states[(same >= 2) & (nearer == 0) & in_cone] = Visibility.SEEN
        states[(nearer >= 3) & (same == 0)] = Visibility.HIDDEN
        states[angles > np.radians(TURNED_AWAY_DEG)] = Visibility.HIDDEN
        return states

    def _depth_ratios(self, image: int, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """(K, NEIGHBOURS) depths of the nearest observed points around each projection over its own; NaN where none."""
        model = self._model
        pose, camera = model.camera_from_map[image], model.camera(image)
        here = model.observation_image == image
        ratios = np.full((len(pixels), NEIGHBOURS), np.nan)
        inside = np.flatnonzero(camera.contains(pixels))
        if not here.any() or len(inside) == 0:
            return ratios
        depths_seen = pose.apply(model.points_map[model.observation_point[here]])[:, 2]
        _, nearest = cKDTree(model.observation_px[here]).query(
            pixels[inside], NEIGHBOURS, distance_upper_bound=NEIGHBOUR_RADIUS * camera.width
        )
        depths = pose.apply(self._landmarks.positions_map[inside])[:, 2:]
        ratios[inside] = np.append(depths_seen, np.nan)[nearest] / depths  # query tells "none" by the count
        return ratios


class VoxelTest:
    """Visibility by walking voxels from the camera to the landmark: any occupied one before it hides it."""

    CLEARANCE_VOXELS = 2.0
    """The walk ends so far before the landmark, whose own surface is occupied."""

    def __init__(self, model: SfmModel, landmarks: Landmarks, voxel_size: float = VOXEL_SIZE) -> None:
        self._model = model
        self._landmarks = landmarks
        self._grid = VoxelGrid(model.points_map, voxel_size)

    def __call__(self, image: int, pixels: NDArray[np.float64]) -> NDArray[np.int8]:
        """(K,) states in one image; `pixels` is not needed."""
        start = self._model.camera_from_map[image].center
        rays = self._landmarks.positions_map - start
        lengths = np.linalg.norm(rays, axis=1)
        walked = np.maximum(lengths - self.CLEARANCE_VOXELS * self._grid.size, 0)
        ends = start + rays * (walked / np.maximum(lengths, 1e-300))[:, None]
        hidden = self._grid.is_blocked(start, ends)
        return np.where(hidden, Visibility.HIDDEN, Visibility.SEEN).astype(np.int8)
