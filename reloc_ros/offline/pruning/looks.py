"""What images whose poses are known should show of the landmarks, and what of that the network finds there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localizer
from reloc_ros.offline.landmarks.visibility import VOXEL_SIZE, seen_pairs
from reloc_ros.offline.landmarks.visibility_rays import VoxelGrid
from reloc_ros.offline.model.sfm import SfmModel

BORDER = 0.03
"""Share of the picture's width along its edges where nothing is looked for."""
DISTANCE_MARGIN = 1.2
"""A landmark is looked for from so many times as far, or near, as map images saw it."""
FOUND_PX = 6.0
"""It is found within so many pixels of the network's input from where the pose puts it: half of what inliers may be
off, as the pose is a sharpened one."""


@dataclasses.dataclass(frozen=True, eq=False)
class Looks:
    """N images and K landmarks."""

    looked: NDArray[np.bool_]
    """(N, K) whether the image should show the landmark, and the network looked for it."""
    found: NDArray[np.bool_]
    """(N, K) whether it was found there, too."""

    @staticmethod
    def of(images: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]], landmarks: int) -> Looks:
        """Those of each image, (K,) and (K,), together."""
        table = np.array(images, dtype=bool).reshape(len(images), 2, landmarks)
        return Looks(table[:, 0], table[:, 1])


class Expectation:
    """Tells which landmarks a camera should see: from where the map saw them, and not behind anything."""

    def __init__(self, model: SfmModel, landmarks: Landmarks) -> None:
        self.landmarks = landmarks
        self._grid = VoxelGrid(model.points_map, VOXEL_SIZE)
        seen = seen_pairs(model, landmarks)
        offsets = model.centers_map[seen.images] - landmarks.positions_map[seen.landmarks]
        distances = np.linalg.norm(offsets, axis=1)
        self.nearest, self.farthest = np.full(len(landmarks), np.inf), np.zeros(len(landmarks))
        np.minimum.at(self.nearest, seen.landmarks, distances)
        np.maximum.at(self.farthest, seen.landmarks, distances)

    def of(self, camera: Camera, camera_from_map: SE3) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which landmarks (K,) a camera should see there, and where (K, 2)."""
        positions, center = self.landmarks.positions_map, camera_from_map.center
        pixels = camera.project(camera_from_map.apply(positions))
        margin = BORDER * camera.width
        size = np.array([camera.width, camera.height])
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= margin) & (pixels <= size - 1 - margin)).all(axis=1)
        distances = np.linalg.norm(positions - center, axis=1)
        expected = inside & (self.landmarks.view_angles(center) <= self.landmarks.view_cones_rad)
        expected &= distances >= self.nearest / DISTANCE_MARGIN
        expected &= distances <= self.farthest * DISTANCE_MARGIN
        rows = np.flatnonzero(expected)
        expected[rows] = ~self._grid.hides(center, positions[rows])
        return expected, pixels


def look(
    localizer: Localizer,
    expectation: Expectation,
    image: NDArray[np.uint8],
    camera: Camera,
    camera_from_map: SE3,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each landmark (K,), whether it was looked for in an image, and whether it was found."""
    expected, pixels = expectation.of(camera, camera_from_map)
    keypoints, unit_px = localizer.look(image, camera)
    off = np.linalg.norm(keypoints.positions_px - pixels[keypoints.landmarks], axis=1)
    there = (off <= FOUND_PX * unit_px) & (keypoints.scores >= localizer.config.min_score)
    looked, found = np.zeros((2, len(expected)), dtype=bool)
    looked[keypoints.landmarks] = expected[keypoints.landmarks]
    found[keypoints.landmarks[there]] = True
    return looked, looked & found
