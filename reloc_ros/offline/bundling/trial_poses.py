"""What poses of pictures whose camera is known tell of a bundle: how uncertain the others are, and what is wrong."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.calibration import Calibration
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.bundling.trial_pictures import Photo
from reloc_ros.offline.measuring.scores import CHI_SQUARE_95, normalised_error_squared
from reloc_ros.pose.acceptance import evidence
from reloc_ros.scene_size import median_distance

Array = NDArray[np.float64]

MIN_SAMPLES = 40
"""With fewer poses or keypoints nothing can be said."""
WRONG_DEG = 10.0
WRONG_SHARE = 0.1
"""Poses farther off, in degrees or as a share of the distance to the landmarks: wrong, not merely uncertain."""
SCALE_RANGE = (0.3, 10.0)
OUTLYING = 100.0
"""Squared errors this many times the typical ones: ten times the standard deviation, where something is wrong there."""
FEW = 0.05
"""Share of the believed poses that may be off by so much and say nothing of the others; more are part of the truth."""
_NAMED = 5
"""Photographs at most, in a sentence."""
_CHI_SQUARE_MEDIAN = 5.348
"""Of six degrees of freedom."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """What one picture of the place gave."""

    evidence: float
    """For the pose; minus infinity when there was none."""
    off: float
    """Error of the pose; above 1 it is wrong, infinite when there was none."""
    nees: float
    """Of the covariance as it is before it is scaled; NaN without a pose."""
    refined: bool
    """Whether the pose was sharpened against the reference views."""
    photo: str = ""
    """Name of the photograph that the picture was made from."""


def evidence_of(result: Localized | Lost) -> float:
    """See `evidence`."""
    return evidence(result.keypoints.scores, result.inliers)


def judge(landmarks: Landmarks, picture: Photo, result: Localized | Lost) -> Trial:
    """What a picture of the place gave, by its keypoints, which are of `landmarks`."""
    if isinstance(result, Lost):  # no pose to believe, however much spoke for one of several
        return Trial(-np.inf, np.inf, np.nan, False, picture.name)
    pose, true = result.camera_from_map, picture.camera_from_map
    points = landmarks.positions_map[result.keypoints.landmarks[result.inliers]]
    distance = median_distance(true.center, points)
    share = center_error(pose, true) / distance / WRONG_SHARE
    off = max(rotation_error_deg(pose, true) / WRONG_DEG, share)
    nees = normalised_error_squared(pose, result.covariance, true)
    return Trial(evidence_of(result), off, nees, result.refined, picture.name)


def pose_scale(trials: Sequence[Trial], min_evidence: float) -> float:
    """The factor that makes the errors of believed poses what their covariances say, without a few that are astray.

    Of a normal distribution the mean of the normalised error squared and its 95 % quantile ask for the same factor.
    Real errors have longer tails, where the mean alone would leave too many outside the 95 % region, and the
    quantile alone would call most poses less certain than they are: half of each. Where so few are believed that
    they tell nothing, as many as do are taken, by their evidence.
    """
    right = sorted((t for t in trials if t.off <= 1), key=lambda t: -t.evidence)
    believed = sum(t.evidence >= min_evidence for t in right)
    nees = np.array([t.nees for t in right[: max(believed, MIN_SAMPLES)]])
    if len(nees) < MIN_SAMPLES:
        return 1.0
    kept = nees[nees <= _most(nees)]
    if len(kept) >= (1 - FEW) * len(nees):
        nees = kept
    variance = 0.5 * (nees.mean() / 6 + np.quantile(nees, 0.95) / CHI_SQUARE_95)
    return float(np.clip(np.sqrt(variance), *SCALE_RANGE))


def _astray(trials: Sequence[Trial], min_evidence: float) -> list[Trial]:
    """Believed poses that are wrong, or off by far more than the others' covariances allow."""
    believed = [trial for trial in trials if trial.evidence >= min_evidence]
    right = np.array([trial.nees for trial in believed if trial.off <= 1])
    return [trial for trial in believed if not (trial.off <= 1 and trial.nees <= _most(right))]


def _most(nees: Array) -> float:
    """The largest normalised error squared that belongs with the others (N,)."""
    return OUTLYING * 6 * float(np.median(nees)) / _CHI_SQUARE_MEDIAN


def problems_of(calibration: Calibration) -> list[str]:
    """What is wrong with a bundle whose calibration came out like this, as sentences; empty when nothing is."""
    made, problems = calibration.made_from, []
    scales = {
        "the keypoints' sigmas": calibration.sigma_scale,
        "the coarse poses' sigmas": calibration.coarse_scale,
        "the sharpened poses' sigmas": calibration.refined_scale,
    }
    low, high = SCALE_RANGE
    if over := [name for name, scale in scales.items() if scale >= high]:
        problems.append(
            f"{' and '.join(over)} would have to grow more than {high:g} times, the most that is done: images that "
            "training did not see are found far less exactly than map and network promise, so most poses will be "
            "called uncertain or be wrong. A folded or bent map does that (see what reloc map says of it), and so "
            "does a training that was stopped early"
        )
    if under := [name for name, scale in scales.items() if scale <= low]:
        problems.append(
            f"{' and '.join(under)} would have to shrink to less than {low:g} of what they are, the least that is "
            "done: poses are called less certain than they are"
        )
    if names := made.get("astray_photos"):
        worst = sorted(names, key=lambda name: -names[name])
        listed = ", ".join(f"{name} ({names[name]})" for name in worst[:_NAMED])
        more = f" and {len(worst) - _NAMED} more" if len(worst) > _NAMED else ""
        problems.append(
            f"{sum(names.values())} of {made['believed']} believed poses are wrong or more than ten times as far off "
            f"as the others: in pictures of {listed}{more}. Where it is always the same images, their own poses in the "
            "map may be wrong"
        )
    return problems


def account(
    photos: Sequence[Photo],
    coarse: Sequence[Trial],
    sharpened: Sequence[Trial],
    strays: Array,
    needed: float,
    share: float,
) -> dict[str, Any]:
    """How it was measured, for people."""
    believed = [trial for trial in coarse if trial.evidence >= needed]
    right = [trial.evidence for trial in coarse if trial.off <= 1]
    limits = ((coarse, needed), (sharpened, share * needed))
    astray = [collections.Counter(trial.photo for trial in _astray(*kind)) for kind in limits]
    return {
        "photos": len(photos),
        "pictures": len(coarse),
        "believed": len(believed),
        "believed_wrong": sum(not trial.off <= 1 for trial in believed),
        "astray_photos": dict(astray[0] | astray[1]),
        "refined": len(sharpened),
        "evidence_of_right_poses_5_percent": float(np.quantile(right, 0.05)) if right else None,
        "evidence_of_no_place_highest": float(strays.max()),
    }
