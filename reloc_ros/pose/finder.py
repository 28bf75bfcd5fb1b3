"""From keypoints of any kind to a pose that is believed, or the reason why there is none."""

from __future__ import annotations

import dataclasses
import logging
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reloc_ros.calibration import Calibration
from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3, Array
from reloc_ros.inference.keypoints import Keypoints
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.landmarks import Landmarks
from reloc_ros.pose.acceptance import LocalizerConfig, LostReason, Refusal, refuse_inliers, refuse_pose
from reloc_ros.pose.pnp import Correspondences, Refined, make_solver, refine, reprojection_errors
from reloc_ros.pose.prior import best_pose
from reloc_ros.pose.rival import CLEARLY_BETTER, RULED_OUT, find_rivals, is_same
from reloc_ros.refinement.alignment import MIN_PATCHES, Support
from reloc_ros.refinement.refine import Refiner
from reloc_ros.scene_size import median_distance

_logger = logging.getLogger(__name__)
FoundBy = Literal["network", "features", "tracking", "detections"]
"""Whose keypoints a pose is from: of the network, of local features, or detections made elsewhere; or it was followed
from the image before."""
_AMBIGUOUS = (
    LostReason.AMBIGUOUS_PLACE,
    "two poses far apart explain what was found about equally: the place repeats",
)
_NOT_VERIFIED = LostReason.WEAK_EVIDENCE, "the reference views do not verify the pose"


@dataclasses.dataclass(frozen=True, eq=False)
class Localized:
    """A pose that passed every test."""

    camera_from_map: SE3
    covariance: NDArray[np.float64]
    """(6, 6) of map_from_camera: x, y, z in the map, then rotation about the map's fixed axes (REP-103)."""
    keypoints: Keypoints
    """What was found in the image: landmarks of the map, or points of its local features."""
    inliers: NDArray[np.bool_]
    """(N,) which keypoints agree with the pose."""
    reprojection_rms_px: float
    """Over the inliers, in the image's pixels."""
    stage_ms: dict[str, float]
    """Time of each stage and their `total`."""
    refined: bool = False
    """Whether the pose was sharpened against the reference views."""
    support: Support | None = None
    """How the reference views agree with the image; None when that was not asked."""
    found_by: FoundBy = "network"

    @property
    def tracked(self) -> bool:
        """Whether the pose was followed from the image before by the reference views, without the network."""
        return self.found_by == "tracking"


@dataclasses.dataclass(frozen=True, eq=False)
class Lost:
    """No pose, and why."""

    reason: LostReason
    detail: str
    """One sentence for people."""
    keypoints: Keypoints
    inliers: NDArray[np.bool_]
    """(N,) which keypoints agreed with the best pose, where there was one."""
    stage_ms: dict[str, float]
    found_by: FoundBy = "network"
    """What found the keypoints."""
    final: bool = False
    """Whether no other keypoints could help: the reference views verify a pose and do not rule out its like."""


class PoseFinder:
    """Finds poses by keypoints of one kind."""

    def __init__(
        self,
        landmarks: Landmarks,
        config: LocalizerConfig,
        calibration: Calibration,
        refiner: Refiner | None,
        found_by: FoundBy,
        covariances_map: Array | None = None,
    ) -> None:
        """Args: landmarks: of the keypoints; refiner: sharpens poses; covariances_map: (K, 3, 3), None: exact."""
        self.config = config
        self._landmarks, self._calibration = landmarks, calibration
        self._covariances_map = covariances_map
        self._refiner, self._found_by = refiner, found_by
        self._solve = make_solver(config.solver)

    def find(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        keypoints: Keypoints,
        unit_px: float,
        watch: Stopwatch,
        mask: ImageMask | None = None,
        prior: SE3 | None = None,
        glance: bool = False,
    ) -> Localized | Lost:
        """The pose that the keypoints give: found robustly, refined, judged, and sharpened.

        Args:
            image, camera: where they were found.
            unit_px: how many of the image's pixels one of the pixels is that the limits are in.
            mask: what of the image shows the robot.
            prior: camera_from_map where the camera is expected.
            glance: whether the reference views must verify the pose, however much the keypoints speak for it.
        """
        keypoints, matches = self.match(keypoints, camera, mask)
        unit = unit_px / camera.mean_focal
        limit = self.config.max_error_px * unit
        pose, inliers = self._search(matches, keypoints.scores, prior, limit)
        told = self._tell_apart(image, camera, mask, keypoints, matches, pose, inliers, limit)
        if told is None:
            watch.lap("pnp")
            return Lost(*_AMBIGUOUS, keypoints, inliers, watch.times_ms(), self._found_by)
        pose, inliers, ignored = told
        judged = pose, inliers, ignored, keypoints, camera.width
        refusal = self._refuse(*judged, verified=self._refiner is not None)
        if pose is not None and refusal is None:
            agreeing = matches.subset(inliers)
            seen = self._landmarks.subset(keypoints.landmarks[inliers])
            try:
                refined = refine(pose, agreeing).scaled(self._calibration.coarse_scale)
                refusal = refuse_pose(self.config, refined, agreeing, seen, unit)
            except np.linalg.LinAlgError:
                refusal = LostReason.UNCERTAIN_POSE, "the landmarks found lie so that they fix no pose"
        watch.lap("pnp")
        if refusal is not None:
            return Lost(*refusal, keypoints, inliers, watch.times_ms(), self._found_by)
        refined, sharpened, support = self._sharpen(image, camera, refined, agreeing, mask)
        if support is not None:
            watch.lap("refine")
        if not sharpened and (refusal := _NOT_VERIFIED if glance else self._refuse(*judged, verified=False)):
            return Lost(*refusal, keypoints, inliers, watch.times_ms(), self._found_by)
        if self._may_be_elsewhere(refined.camera_from_map, agreeing.points_map, image, camera, mask):
            return Lost(*_AMBIGUOUS, keypoints, inliers, watch.times_ms(), self._found_by, final=sharpened)
        return Localized(
            refined.camera_from_map,
            refined.covariance,
            keypoints,
            inliers,
            float(np.sqrt(np.mean(refined.residuals**2)) * camera.mean_focal),
            watch.times_ms(),
            sharpened,
            support,
            self._found_by,
        )

    def speaks_for(
        self,
        camera_from_map: SE3,
        camera: Camera,
        keypoints: Keypoints,
        unit_px: float,
        mask: ImageMask | None = None,
    ) -> bool:
        """Whether keypoints speak for a pose as for one that the reference views verified; arguments as for `find`."""
        keypoints, matches = self.match(keypoints, camera, mask)
        limit = self.config.max_error_px * unit_px / camera.mean_focal
        inliers = reprojection_errors(camera_from_map, matches) < limit
        rivals = find_rivals(camera_from_map, inliers, matches, keypoints.scores, self._solve, limit)
        # Where the place repeats, what is found speaks for its likes as well: that contradicts nothing.
        ignored = np.any([np.zeros_like(inliers), *(agreeing for _, agreeing in rivals)], axis=0)
        return self._refuse(camera_from_map, inliers, ignored, keypoints, camera.width, verified=True) is None

    def match(
        self, keypoints: Keypoints, camera: Camera, mask: ImageMask | None = None
    ) -> tuple[Keypoints, Correspondences]:
        """The keypoints that are in the image, not doubtful, and of use to PnP, and their landmarks."""
        usable = camera.contains(keypoints.positions_px) & (keypoints.scores >= self.config.min_score)
        if mask is not None:
            usable &= mask.allows(keypoints.positions_px, camera.width, camera.height)
        keypoints = keypoints.subset(usable)
        rays = camera.unproject(keypoints.positions_px)
        finite = np.flatnonzero(
            np.isfinite(rays).all(axis=1)
        )  # PnP takes nothing beside the camera, or behind
        keypoints, rays = keypoints.subset(finite), rays[finite]
        points_map = self._landmarks.positions_map[keypoints.landmarks]
        own = None if self._covariances_map is None else self._covariances_map[keypoints.landmarks]
        return keypoints, Correspondences(points_map, rays, keypoints.sigmas_px / camera.mean_focal, own)

    def _search(
        self, matches: Correspondences, scores: NDArray[np.float64], prior: SE3 | None, limit: float
    ) -> tuple[SE3 | None, NDArray[np.bool_]]:
        """The pose that most keypoints speak for, and which of them agree with it (N,)."""
        pose = None
        if len(matches) >= self.config.min_keypoints:
            pose = best_pose(self._solve(matches, limit), prior, matches, scores, limit)
        if pose is None:
            return None, np.zeros(len(matches), dtype=bool)
        return pose, reprojection_errors(pose, matches) < limit

    def _tell_apart(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        mask: ImageMask | None,
        keypoints: Keypoints,
        matches: Correspondences,
        pose: SE3 | None,
        inliers: NDArray[np.bool_],
        limit: float,
    ) -> tuple[SE3 | None, NDArray[np.bool_], NDArray[np.bool_]] | None:
        """The pose, which keypoints (N,) agree with it, and which with its likes; None where the place repeats.

        Where several poses are about as likely, it does, unless the reference views agree with one of them clearly
        better. Without views, where several would be believed without what speaks for the others.
        """
        as_found = pose, inliers, np.zeros_like(inliers)
        if pose is None:
            return as_found
        rivals = find_rivals(pose, inliers, matches, keypoints.scores, self._solve, limit)
        if not rivals:
            return as_found
        claimed = np.any([inliers, *(agreeing for _, agreeing in rivals)], axis=0)
        likely = [(each, own, claimed & ~own) for each, own in ((pose, inliers), *rivals)]
        verified = self._refiner is not None
        refused = [self._refuse(*one, keypoints, camera.width, verified) is not None for one in likely]
        if refused[0]:
            return as_found
        if self._refiner is None:
            return as_found if all(refused[1:]) else None
        shares = [self._refiner.agreement(image, camera, each, mask).share for each, _, _ in likely]
        best, second = np.argsort(shares)[::-1][:2]
        if shares[best] - shares[second] < CLEARLY_BETTER:
            return None
        # What speaks for a rival that nobody would believe is chance, and speaks against the pose.
        return as_found if best == 0 and all(refused[1:]) else likely[best]

    def _refuse(
        self,
        pose: SE3 | None,
        inliers: NDArray[np.bool_],
        ignored: NDArray[np.bool_],
        keypoints: Keypoints,
        width: int,
        verified: bool,
    ) -> Refusal | None:
        """Judge a pose by the keypoints without those, (N,), that speak for its like elsewhere."""
        left = keypoints.subset(~ignored)
        judged = left.positions_px, left.scores, pose, inliers[~ignored], width
        return refuse_inliers(self.config, *judged, verified=verified)

    def _sharpen(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        coarse: Refined,
        agreeing: Correspondences,
        mask: ImageMask | None,
    ) -> tuple[Refined, bool, Support | None]:
        """The pose to report, whether it is a sharpened one, and the photometric support, if that was asked."""
        if self._refiner is None:
            return coarse, False, None
        refinement = self._refiner.refine(image, camera, coarse.camera_from_map, agreeing, mask)
        if refinement.covariance is None:
            _logger.debug("the pose was not sharpened: %s", refinement.doubt)
            return coarse, False, refinement.support
        pose = refinement.camera_from_map
        sharpened = Refined(pose, refinement.covariance, reprojection_errors(pose, agreeing))
        return sharpened.scaled(self._calibration.refined_scale), True, refinement.support

    def _may_be_elsewhere(
        self,
        pose: SE3,
        points_map: Array,
        image: NDArray[np.uint8],
        camera: Camera,
        mask: ImageMask | None,
    ) -> bool:
        """Whether an image may be from where the map looks as from a pose that sees these points (N, 3).

        It may, unless the reference views rule it out.
        """
        if self._refiner is None or not (likes := self._refiner.likes(pose, camera)):
            return False
        distance, asked = median_distance(pose.center, points_map), [pose]
        for like in likes:
            if any(is_same(like, each, distance) for each in asked):
                continue
            asked.append(like)
            support = self._refiner.agreement(image, camera, like, mask)
            if support.patches < MIN_PATCHES or support.share >= RULED_OUT:
                return True
        return False
