"""When a pose is good enough to be believed, and the reasons to say lost instead."""

from __future__ import annotations

import dataclasses
import enum
import typing
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.pose.pnp import Correspondences, Refined, Solver
from reloc_ros.scene_size import median_distance


class LostReason(str, enum.Enum):
    """Why there is no pose."""

    BAD_IMAGE = "bad_image"
    NO_KEYPOINTS = "no_keypoints"
    TOO_FEW_KEYPOINTS = "too_few_keypoints"
    NO_CONSENSUS = "no_consensus"
    TOO_FEW_INLIERS = "too_few_inliers"
    WEAK_EVIDENCE = "weak_evidence"
    POOR_SPREAD = "poor_spread"
    LARGE_RESIDUAL = "large_residual"
    UNCERTAIN_POSE = "uncertain_pose"
    IMPLAUSIBLE_VIEW = "implausible_view"
    AMBIGUOUS_PLACE = "ambiguous_place"


Fallback = Literal["auto", "off"]


@dataclasses.dataclass(frozen=True)
class LocalizerConfig:
    """When a pose is good enough to be published."""

    solver: Solver = "auto"
    fallback: Fallback = "auto"
    """`auto`: where the network is lost or its pose is in doubt, the map's local features are asked, if the bundle has
    some."""
    refine: bool = True
    """Sharpen poses against the bundle's reference views, where it has some."""
    glance: bool = True
    """Show the network a smaller picture first, and the whole one where the reference views do not verify the
    pose that comes of it. Needs `refine`."""
    glance_share: float = 0.6
    """Of the reference views' patches that must agree with the pose of a glance. In pictures of map images that
    training did not see, poses of which fewer do are off by far more than those of whole images."""

    min_score: float = 0.2
    """Keypoints below are not used."""
    min_keypoints: int = 6
    min_inliers: int = 7
    min_evidence: float | None = None
    """See `evidence`. None: what the bundle's calibration found."""
    verified_share: float | None = None
    """This share of `min_evidence` is enough for a pose that the reference views verify. None: as `min_evidence`."""
    max_error_px: float = 12.0
    """Reprojection error of an inlier, in pixels of the network's input. On map images that training did not see, with
    two fifths covered, 12 finds more right poses and fewer wrong ones than 8; from 16 on, mirrored and scrambled
    pictures gain evidence."""
    max_rms_px: float = 8.0
    """Of the inliers after refinement, network pixels; errors spread evenly up to `max_error_px` would give 8.5."""
    min_spread: float = 0.03
    """Standard deviation of the inliers along their narrower direction, as a share of the image's width."""
    max_position_sigma: float = 0.05
    """Standard deviation of the position as a share of the median distance to the landmarks: twice it is 10 %."""
    max_rotation_sigma_deg: float = 5.0
    """Twice it is 10 degrees."""
    min_in_cone_share: float = 0.5
    """Share of the inliers that the pose sees from an angle they were seen from when the map was made."""
    cone_margin_deg: float = 30.0
    min_sigma_px: float = 0.5
    """Floor of the network's own sigma, in pixels of its input."""

    def __post_init__(self) -> None:
        if self.fallback not in typing.get_args(Fallback):
            raise RelocError(f"unknown fallback {self.fallback!r}; use auto or off")

    def for_bundle(self, calibration: Calibration) -> LocalizerConfig:
        """The same with what is left to the bundle filled in."""
        left = [name for name in ("min_evidence", "verified_share") if getattr(self, name) is None]
        return dataclasses.replace(self, **{name: getattr(calibration, name) for name in left})

    def needed_evidence(self, verified: bool) -> float:
        """What a pose needs, as far as it is said; see `evidence`."""
        needed = UNCALIBRATED.min_evidence if self.min_evidence is None else self.min_evidence
        share = UNCALIBRATED.verified_share if self.verified_share is None else self.verified_share
        return share * needed if verified else needed


Refusal = tuple[LostReason, str]
"""A reason and a sentence for people."""


def evidence(scores: NDArray[np.float64], inliers: NDArray[np.bool_]) -> float:
    """What speaks for a pose less what speaks against it: scores (N,) of the keypoints that agree, less the others'.

    A score is the probability that its landmark is there, so a sum of them is the expected number of true keypoints;
    a right pose explains nearly all of them. By chance many agree with some pose, the more the more there are, but
    then most of what was found disagrees: one limit serves few landmarks and many. Export finds it for each bundle
    (`offline/bundling/calibrate.py`), on mirrored and scrambled pictures of the place itself, which have its colours
    and textures and so deceive the network more than any other place does.
    """
    return float(scores[inliers].sum() - scores[~inliers].sum())


def refuse_inliers(
    config: LocalizerConfig,
    keypoints_px: NDArray[np.float64],
    scores: NDArray[np.float64],
    pose: SE3 | None,
    inliers: NDArray[np.bool_],
    image_width: int,
    verified: bool,
) -> Refusal | None:
    """Judge the robust search by N keypoints: image pixels (N, 2), scores, and which agree with its pose.

    `verified`: whether the reference views verify the pose, or will have to.
    """
    min_evidence = config.needed_evidence(verified)
    found, count, balance = len(keypoints_px), int(inliers.sum()), evidence(scores, inliers)
    if found == 0:
        return LostReason.NO_KEYPOINTS, "no landmark of the map was found in the image"
    if found < config.min_keypoints:
        return LostReason.TOO_FEW_KEYPOINTS, f"{found} landmarks found, {config.min_keypoints} needed"
    if pose is None or balance <= 0 <= min_evidence:
        return LostReason.NO_CONSENSUS, f"no pose explains the {found} landmarks found"
    if count < config.min_inliers:
        return LostReason.TOO_FEW_INLIERS, f"{count} landmarks agree on a pose, {config.min_inliers} needed"
    if balance < min_evidence:
        detail = (
            f"{count} of {found} landmarks agree on a pose, by {balance:.1f} in scores more than do not, "
            f"{min_evidence:.1f} needed"
        )
        return LostReason.WEAK_EVIDENCE, detail
    narrow_px = np.sqrt(max(np.linalg.eigvalsh(np.cov(keypoints_px[inliers].T))[0], 0))
    if narrow_px < config.min_spread * image_width:
        return (
            LostReason.POOR_SPREAD,
            f"the landmarks spread over {narrow_px:.0f} px only, along a line or a spot",
        )
    return None


def refuse_pose(
    config: LocalizerConfig,
    refined: Refined,
    matches: Correspondences,
    landmarks: Landmarks,
    ray_per_network_px: float,
) -> Refusal | None:
    """Judge the refined pose by its N inliers: `matches`, and the same rows of the map's `landmarks`."""
    rms_px = float(np.sqrt(np.mean(refined.residuals**2))) / ray_per_network_px
    if not rms_px <= config.max_rms_px:
        return LostReason.LARGE_RESIDUAL, f"the landmarks fit the pose by {rms_px:.1f} network pixels only"
    pose = refined.camera_from_map
    sigmas = np.sqrt(np.diag(refined.covariance))
    distance = median_distance(pose.center, matches.points_map)
    if sigmas[:3].max() > config.max_position_sigma * distance:
        share = 100 * sigmas[:3].max() / distance
        return LostReason.UNCERTAIN_POSE, f"the position is uncertain by {share:.0f} % of the distance"
    turn_deg = np.degrees(sigmas[3:].max())
    if turn_deg > config.max_rotation_sigma_deg:
        return LostReason.UNCERTAIN_POSE, f"the rotation is uncertain by {turn_deg:.0f} deg"
    in_cone = landmarks.view_angles(pose.center) < landmarks.view_cones_rad + np.radians(
        config.cone_margin_deg
    )
    if in_cone.mean() < config.min_in_cone_share:
        return LostReason.IMPLAUSIBLE_VIEW, "the pose sees most landmarks from where they never were seen"
    return None
