"""SIFT, RootSIFT descriptors, as OpenCV finds them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.offline.mapping.attempts import read_features
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.mapping.reconstruct import triangulate_given
from reloc_ros.offline.measuring.features import FeatureBaseline
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.gather import Group
from reloc_ros.offline.workspace import Workspace

FEATURES = 4000
CONTRAST_THRESHOLD = 0.02
"""COLMAP's own limit for the difference of Gaussians, as OpenCV counts it; OpenCV's default is twice that."""
STRETCHED_PERCENT = (1.0, 99.0)
"""Grey levels that are brought to black and white: the threshold is absolute, and a dark image would fall below it."""


class Sift:
    """Features for `FeatureBaseline`."""

    name = "SIFT"
    max_ratio = 0.8
    reach_px = 1.5

    def __init__(self) -> None:
        # Without precise upscaling, OpenCV's keypoints are off by a quarter of a pixel towards the bottom right.
        self._sift = cv2.SIFT_create(
            nfeatures=FEATURES, contrastThreshold=CONTRAST_THRESHOLD, enable_precise_upscale=True
        )

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Keypoints (N, 2) px and their RootSIFT descriptors (N, 128), see Arandjelovic and Zisserman (CVPR 2012)."""
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        keypoints, descriptors = self._sift.detectAndCompute(_stretch(grey), None)
        if descriptors is None:
            return np.zeros((0, 2)), np.zeros((0, 128), dtype=np.float32)
        descriptors /= np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-12)
        return np.array([keypoint.pt for keypoint in keypoints], dtype=np.float64), np.sqrt(descriptors)


def sift_baseline(workspace: Workspace, known: SfmModel, progress: Progress = silent) -> FeatureBaseline:
    """The baseline on a workspace's model without its held-out images.

    SIFT does not find again what other features found: where the map is made of those, its own matches make it points
    at the map's poses.
    """
    if read_features(workspace.path / "sfm" / "sparse") != "sift":
        groups, own = [Group("the map", known.names, False)], workspace.path / "judged" / "sift"
        try:
            known = triangulate_given(workspace.images_dir, groups, own, known, SfmOptions(), progress).model
        except RelocError as error:
            raise RelocError(
                f"SIFT's matches make no points at the poses of '{workspace.path}', whose map is of other features; "
                "leave SIFT out"
            ) from error
    return FeatureBaseline.of_model(Sift(), known, workspace.images_dir, progress)


def _stretch(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    low, high = np.percentile(grey[::4, ::4], STRETCHED_PERCENT)
    levels = 255 * (np.arange(256) - low) / max(high - low, 1)
    return cv2.LUT(grey, np.clip(np.rint(levels), 0, 255).astype(np.uint8))
