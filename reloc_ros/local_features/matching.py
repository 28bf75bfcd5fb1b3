"""Features of an image matched with those of the map, by FLANN and Lowe's test."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.inference.keypoints import NO_KEYPOINTS, Keypoints
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.local_features.feature_map import FeatureMap

CHECKS = 64
"""Leaves that FLANN looks into for each feature."""
NEIGHBOURS = 8
"""So many descriptors are looked at; with four, those of one point often leave no other to compare it with. One mean
descriptor for each point loses a third of the inliers."""


class Features(Protocol):
    """What finds features in an image."""

    name: str
    max_ratio: float
    """Lowe's test, against the nearest descriptor of another point: a point has one from each view."""
    reach_px: float
    """How far a keypoint may be from the map's observation of the same thing."""
    side: float
    """Longer side to which larger images are shrunk, and what `reach_px` is in then."""

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Keypoints (N, 2) px of an image, (H, W) or (H, W, 3) BGR, and their descriptors (N, D)."""
        ...


def detect(features: Features, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[Any], float]:
    """What features find in an image as large as they are for, its pixels, and by how much it was shrunk for that."""
    shrink = min(features.side / max(image.shape[:2]), 1.0)
    if shrink == 1:
        return *features.detect(image), shrink
    width, height = (max(round(shrink * side), 1) for side in image.shape[1::-1])
    shrunk = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    keypoints_px, descriptors = features.detect(np.asarray(shrunk, np.uint8))
    # Pixel edges, not centres, scale.
    return (keypoints_px + 0.5) * np.divide(image.shape[1::-1], (width, height)) - 0.5, descriptors, shrink


class Matcher:
    """Finds the map's points in images by their features."""

    def __init__(self, features: Features, known: FeatureMap) -> None:
        """Build the index."""
        self.known = known
        self._features = features
        # Kept, since the index refers to them. Its distances are squared.
        self._descriptors = np.ascontiguousarray(known.descriptors, dtype=np.float32)
        self._index = cv2.flann.Index()
        self._index.build(self._descriptors, {"algorithm": 1, "trees": 4})  # 1: k-d trees

    def find(self, image: NDArray[np.uint8], watch: Stopwatch) -> Keypoints:
        """The map's points that an image, (H, W) or (H, W, 3) BGR, shows, one for each feature that matches.

        A score is how much better a feature matches its point than any other: from 0, where that says nothing, to 1.
        """
        keypoints_px, descriptors, shrink = detect(self._features, image)
        watch.lap("detect")
        keypoints = self._match(keypoints_px, descriptors, shrink)
        watch.lap("match")
        return keypoints

    def _match(
        self, keypoints_px: NDArray[np.float64], descriptors: NDArray[Any], shrink: float = 1.0
    ) -> Keypoints:
        """The keypoints that match a point of the map clearly better than any other."""
        if len(keypoints_px) == 0:
            return NO_KEYPOINTS
        queries = np.ascontiguousarray(descriptors, dtype=np.float32)
        nearest, squared = self._index.knnSearch(
            queries, min(NEIGHBOURS, len(self._descriptors)), params={"checks": CHECKS}
        )
        points, ratios = self._ratios(np.asarray(nearest, np.int32), np.sqrt(squared))
        rows = np.flatnonzero(ratios < self._features.max_ratio)
        scores = 1 - ratios[rows] / self._features.max_ratio
        return Keypoints(points[rows], keypoints_px[rows], scores, np.full(len(rows), 1 / shrink))

    def _ratios(
        self, nearest: NDArray[np.int32], distances: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The best point of each keypoint, and its distance over that of the next other point; both (N,).

        Where all the nearest descriptors are of one point, the next other one is farther than the last of them.
        """
        points = self.known.points[nearest]
        best = points[:, 0]
        other = points != best[:, None]
        place = np.where(other.any(axis=1), other.argmax(axis=1), -1)
        next_distances = distances[np.arange(len(distances)), place]
        return best, distances[:, 0].astype(np.float64) / np.maximum(next_distances, 1e-12)
