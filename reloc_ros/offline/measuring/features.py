"""Baselines: features matched with FLANN against those of the map's images, LO-RANSAC PnP.

It is what COLMAP and hloc do to register an image, kept simple and run on the same images as the network. Matching is
that of a bundle's second way; the solver is COLMAP's own, and nothing is left out to keep the map small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.io.camera_files import colmap_from_camera, colmap_from_px
from reloc_ros.local_features.feature_map import FeatureMap
from reloc_ros.local_features.matching import Features, Matcher
from reloc_ros.localizer import Keypoints, Localized, Lost, LostReason
from reloc_ros.pose.pnp import Correspondences, refine

MAX_ERROR_PX = 6.0
"""Reprojection error of a RANSAC inlier, in an image 1280 pixels wide."""
MIN_INLIERS = 12


class FeatureBaseline:
    """Localize images by features."""

    def __init__(self, features: Features, known: FeatureMap) -> None:
        """Build the index."""
        self.known = known
        self._matcher = Matcher(features, known)

    def localize(self, image: NDArray[np.uint8], camera: Camera) -> Localized | Lost:
        """Find the pose of an image, (H, W) or (H, W, 3) BGR, that the camera took."""
        watch = Stopwatch()
        keypoints = self._matcher.find(image, watch)
        found = self._solve(keypoints, camera) if len(keypoints) >= MIN_INLIERS else None
        watch.lap("pnp")
        stage_ms = watch.times_ms()
        if found is None or found[1].sum() < MIN_INLIERS:
            return _lost(keypoints, None if found is None else found[1], stage_ms)
        pose, inliers = found
        points_map = self.known.landmarks.positions_map[keypoints.landmarks]
        errors_px = np.linalg.norm(camera.project(pose.apply(points_map)) - keypoints.positions_px, axis=1)
        return Localized(
            camera_from_map=pose,
            covariance=_covariance(pose, camera, keypoints, points_map, inliers),
            keypoints=keypoints,
            inliers=inliers,
            reprojection_rms_px=float(np.sqrt(np.mean(errors_px[inliers] ** 2))),
            stage_ms=stage_ms,
            found_by="features",
        )

    def _solve(self, keypoints: Keypoints, camera: Camera) -> tuple[SE3, NDArray[np.bool_]] | None:
        import pycolmap

        name, params = colmap_from_camera(camera)
        points_map = self.known.landmarks.positions_map[keypoints.landmarks]
        middle = points_map.mean(axis=0)  # it turns about the origin, which may be far away
        options = pycolmap.AbsolutePoseEstimationOptions()
        options.ransac.max_error = MAX_ERROR_PX * camera.width / 1280
        options.ransac.random_seed = 0
        found = pycolmap.estimate_and_refine_absolute_pose(
            colmap_from_px(keypoints.positions_px),
            points_map - middle,
            pycolmap.Camera(model=name, width=camera.width, height=camera.height, params=params),
            options,
        )
        if found is None:
            return None
        camera_from_middle = SE3.from_matrix(found["cam_from_world"].matrix())
        inliers = np.asarray(found["inlier_mask"], dtype=bool)
        return camera_from_middle @ SE3(np.eye(3), -middle), inliers


def _covariance(
    pose: SE3, camera: Camera, keypoints: Keypoints, points_map: NDArray, inliers: NDArray[np.bool_]
) -> NDArray[np.float64]:
    focal = camera.mean_focal
    rays = camera.unproject(keypoints.positions_px[inliers])
    has_ray = np.isfinite(rays).all(axis=1)  # COLMAP's own inversion always gives some ray
    matches = Correspondences(
        points_map[inliers][has_ray], rays[has_ray], np.full(np.count_nonzero(has_ray), 1 / focal)
    )
    return refine(pose, matches).covariance


def _lost(keypoints: Keypoints, inliers: NDArray[np.bool_] | None, stage_ms: dict[str, float]) -> Lost:
    agreeing = np.zeros(len(keypoints), dtype=bool) if inliers is None else inliers
    if len(keypoints) < MIN_INLIERS:
        reason, detail = LostReason.TOO_FEW_KEYPOINTS, f"{len(keypoints)} features match the map"
    elif inliers is None:
        reason, detail = LostReason.NO_CONSENSUS, f"no pose explains the {len(keypoints)} matches"
    else:
        reason, detail = (
            LostReason.TOO_FEW_INLIERS,
            f"{agreeing.sum()} of {len(keypoints)} matches agree on a pose",
        )
    detail = f"{detail}; at least {MIN_INLIERS} are needed"
    return Lost(reason, detail, keypoints, agreeing, stage_ms, "features")
