"""Measure how far poses by a bundle's local features can be trusted, on the pictures that its network is measured on.

The limit of evidence is that of poses which the reference views do not verify; what verified strays reach counts as
much as it will be asked for less.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np

from reloc_ros.bundle import Bundle
from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.local_features.feature_map import FeatureMap
from reloc_ros.local_features.matching import Matcher
from reloc_ros.local_features.second_way import LIMITS, SIDE, unit_px
from reloc_ros.local_features.sift import Sift
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.bundling.calibrate import OPEN, counted, needed_evidence, views_without
from reloc_ros.offline.bundling.trial_pictures import Photo, of_no_place, of_the_place
from reloc_ros.offline.bundling.trial_poses import account, evidence_of, judge, pose_scale
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.pose.finder import PoseFinder
from reloc_ros.refinement.refine import Refiner

TRIALS = 120
"""Pictures of the place, and as many of no place: half of the network's, as each takes several times as long."""
EVIDENCE_RANGE = (2.0, 200.0)
_OPEN = dataclasses.replace(OPEN, min_score=LIMITS["min_score"], max_error_px=LIMITS["max_error_px"])


def calibrate_features(
    bundle: Bundle,
    features: FeatureMap,
    photos: Sequence[Photo],
    count: int = TRIALS,
    progress: Progress = silent,
) -> Calibration:
    """Calibrate by photographs.

    Args:
        features: those of the bundle, without what the photographs show: a picture is not to be compared with itself.
    """
    references = views_without(bundle.references, photos)
    refiner = None if references is None else Refiner(references)
    matcher = Matcher(Sift(SIDE), features)
    finders = [
        PoseFinder(features.landmarks, _OPEN, UNCALIBRATED, one, "features", features.covariances_map)
        for one in (None, refiner)
    ]

    def look(picture: Photo) -> list[Localized | Lost]:
        """The pose as it is found, and as it is sharpened."""
        keypoints = matcher.find(picture.image, Stopwatch())
        shown = picture.image, picture.camera, keypoints, unit_px(picture.camera)
        return [finder.find(*shown, Stopwatch()) for finder in finders]

    tell = partial(counted, count=count, progress=progress)
    there = (of_no_place(photos[seed % len(photos)], seed) for seed in range(count))
    strays = np.array([_reached(*look(picture)) for picture in tell("features of no place", there)])
    needed, share = needed_evidence(strays, EVIDENCE_RANGE), UNCALIBRATED.verified_share
    here = (of_the_place(photos[seed % len(photos)], seed) for seed in range(count))
    trials = [
        [judge(features.landmarks, picture, result) for result in look(picture)]
        for picture in tell("poses by features", here)
    ]
    coarse = [trial for trial, _ in trials]
    sharpened = [trial for _, trial in trials if trial.refined]
    return Calibration(
        coarse_scale=pose_scale(coarse, needed),
        refined_scale=pose_scale(sharpened, share * needed),
        min_evidence=needed,
        made_from=account(photos, coarse, sharpened, strays, needed, share),
    )


def _reached(found: Localized | Lost, sharpened: Localized | Lost) -> float:
    """The highest limit of evidence that a picture passes."""
    verified = isinstance(sharpened, Localized) and sharpened.refined
    return evidence_of(found) / (UNCALIBRATED.verified_share if verified else 1)
