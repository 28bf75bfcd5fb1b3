"""What a localizer asks where the network leaves doubt: local features, with the same tests and limits of their own."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.calibration import Calibration
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.local_features.feature_map import FeatureMap
from reloc_ros.local_features.matching import Matcher
from reloc_ros.local_features.sift import SIZE, Sift
from reloc_ros.pose.acceptance import LocalizerConfig, LostReason
from reloc_ros.pose.finder import Localized, Lost, PoseFinder
from reloc_ros.refinement.refine import Refiner

SIDE = 640
"""Longer side to which images are shrunk, here as when a bundle's features were gathered."""
UNIT_WIDTH = 1280
"""Limits in pixels are those of an image so wide."""
LIMITS: dict[str, Any] = {"min_score": 0.0, "min_inliers": 8, "max_error_px": 6.0, "max_rms_px": 4.0}
"""COLMAP's for an image to be registered: features are exact, but most of their matches are wrong."""


class SecondWay:
    """Localizes images by a bundle's local features."""

    def __init__(
        self, known: FeatureMap, calibration: Calibration, config: LocalizerConfig, refiner: Refiner | None
    ) -> None:
        """Build the index of a bundle's features, whose poses have a calibration of their own.

        Raises:
            RelocError: they are not SIFT's.
        """
        size = known.descriptors.shape[1]
        if size != SIZE:
            raise RelocError(
                f"the bundle's local features have {size} numbers each, and SIFT's have {SIZE}; export the bundle again"
            )
        asked = dataclasses.replace(config, min_evidence=None, verified_share=None).for_bundle(calibration)
        limits = dataclasses.replace(asked, **LIMITS)
        self._matcher = Matcher(Sift(SIDE), known)
        self._finder = PoseFinder(
            known.landmarks, limits, calibration, refiner, "features", known.covariances_map
        )

    def localize(
        self, image: NDArray[np.uint8], camera: Camera, mask: ImageMask | None, watch: Stopwatch
    ) -> Localized | Lost:
        """Localize an image, (H, W, 3) BGR or (H, W) grey; its keypoints are of `bundle.features`."""
        keypoints = self._matcher.find(image, watch)
        return self._finder.find(image, camera, keypoints, unit_px(camera), watch, mask)


def unit_px(camera: Camera) -> float:
    """How many of a camera's pixels one is that limits are in."""
    return camera.width / UNIT_WIDTH


def surer(network: Localized | Lost, features: Localized | Lost) -> Localized | Lost:
    """Of what two ways found the pose whose place is more certain, or why both are lost; features came last."""
    if isinstance(features, Localized):
        if isinstance(network, Lost) or _variance(features) < _variance(network):
            return features
    elif isinstance(network, Lost):
        detail = f"{network.detail}; by local features: {features.detail}"
        # That a place repeats is more than that too little was found of it.
        ambiguous = features.reason is LostReason.AMBIGUOUS_PLACE
        network = dataclasses.replace(
            network, reason=features.reason if ambiguous else network.reason, detail=detail
        )
    return dataclasses.replace(network, stage_ms=features.stage_ms)


def _variance(found: Localized) -> float:
    """Of the position, in the map's units squared."""
    return float(np.trace(found.covariance[:3, :3]))
