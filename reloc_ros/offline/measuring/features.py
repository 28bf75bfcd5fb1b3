"""Baselines: features matched with FLANN against those of the map's images, LO-RANSAC PnP.

It is what COLMAP and hloc do to register an image, kept simple and run on the same images as the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.io.camera_files import colmap_from_camera, colmap_from_px
from reloc_ros.io.npz import MOST_BYTES_OF_A_MAP, read_npz
from reloc_ros.localizer import NO_KEYPOINTS, Keypoints, Localized, Lost, LostReason
from reloc_ros.offline.model.sfm import MIN_TRIANGULATION_ANGLE_DEG, SfmModel
from reloc_ros.offline.model.triangulate import triangulate
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.photographs import read_photo
from reloc_ros.pose.pnp import Correspondences, refine

MAX_POINT_ERROR_PX = 2.0
"""Mean reprojection error of a point in the map's images: farther off, the keypoints are not all of one thing."""
MAX_ERROR_PX = 6.0
"""Reprojection error of a RANSAC inlier, in an image 1280 pixels wide."""
MIN_INLIERS = 12
CHECKS = 64
"""Leaves that FLANN looks into for each feature."""
_NEIGHBOURS = 8
"""So many descriptors are looked at; with four, those of one point often leave no other to compare it with. One mean
descriptor for each point loses a third of the inliers."""


class Features(Protocol):
    """What finds features in an image."""

    name: str
    max_ratio: float
    """Lowe's test, against the nearest descriptor of another point: a point has one from each view."""
    reach_px: float
    """How far a keypoint may be from the map's observation of the same thing, in the map's images."""

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Keypoints (N, 2) px of an image, (H, W) or (H, W, 3) BGR, and their descriptors (N, D)."""
        ...


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """What the map's images show of its points."""

    descriptors: NDArray[np.float32]
    """(M, D)"""
    points: NDArray[np.int64]
    """(M,) the row of `points_map` each is of."""
    points_map: NDArray[np.float64]
    """(P, 3)"""

    @staticmethod
    def of_model(
        features: Features, model: SfmModel, images_dir: Path, progress: Progress = silent
    ) -> FeatureMap:
        """Gather descriptors where the model's images saw its points, which are then triangulated from the keypoints.

        Held-out images must have been taken out of the model, see `SfmModel.without`.
        """
        gathered, seen, pixels = [], [], []
        for image, name in enumerate(model.names):
            keypoints_px, descriptors = features.detect(read_photo(images_dir / name))
            rows = model.observations_of(image)
            if len(keypoints_px) and len(rows):
                distances, nearest = cKDTree(model.observation_px[rows]).query(keypoints_px)
                # Of the keypoints around an observation the nearest: several where that has several orientations.
                least = np.full(len(rows), features.reach_px)
                np.minimum.at(least, nearest, distances)
                near = distances <= least[nearest]
                gathered.append(descriptors[near])
                seen.append(rows[nearest[near]])
                pixels.append(keypoints_px[near])
            progress(f"gather {features.name}", image + 1, len(model.names))
        count = sum(map(len, seen))
        if count < _NEIGHBOURS:
            raise RelocError(
                f"{features.name} finds only {count} of the map's points again in the images of '{images_dir}'"
            )
        rows = np.concatenate(seen)
        order = np.argsort(rows)
        rows = rows[order]
        points, point = np.unique(model.observation_point[rows], return_inverse=True)
        rays = model.rays(model.observation_image[rows], np.concatenate(pixels)[order], point)
        found = triangulate(rays, len(points))
        good = (found.errors_px <= MAX_POINT_ERROR_PX) & (found.angles_deg >= MIN_TRIANGULATION_ANGLE_DEG)
        kept = good[point]
        descriptors = np.concatenate(gathered)[order[kept]]
        return FeatureMap(descriptors, (np.cumsum(good) - 1)[point[kept]], found.points_map[good])

    def save(self, path: Path) -> None:
        """Write it as a robot would keep it: descriptors in half precision, as hloc stores them."""
        half = self.descriptors.astype(np.float16)
        np.savez(path, descriptors=half, points=self.points.astype(np.int32), points_map=self.points_map)

    @staticmethod
    def load(path: Path) -> FeatureMap:
        kept = read_npz(path, MOST_BYTES_OF_A_MAP)
        descriptors = kept["descriptors"].astype(np.float32)
        return FeatureMap(descriptors, kept["points"].astype(np.int64), kept["points_map"])


class FeatureBaseline:
    """Localize images by features."""

    def __init__(self, features: Features, known: FeatureMap) -> None:
        """Build the index."""
        self.known = known
        self._features = features
        # Kept, since the index refers to them. Its distances are squared.
        self._descriptors = np.ascontiguousarray(known.descriptors)
        self._index = cv2.flann.Index()
        self._index.build(self._descriptors, {"algorithm": 1, "trees": 4})  # 1: k-d trees

    @staticmethod
    def of_model(
        features: Features, model: SfmModel, images_dir: Path, progress: Progress = silent
    ) -> FeatureBaseline:
        """On a model without its held-out images, see `FeatureMap.of_model`."""
        return FeatureBaseline(features, FeatureMap.of_model(features, model, images_dir, progress))

    def localize(self, image: NDArray[np.uint8], camera: Camera) -> Localized | Lost:
        """Find the pose of an image, (H, W) or (H, W, 3) BGR, that the camera took."""
        watch = Stopwatch()
        keypoints_px, descriptors = self._features.detect(image)
        watch.lap("detect")
        keypoints = self._match(keypoints_px, descriptors)
        watch.lap("match")
        found = self._solve(keypoints, camera) if len(keypoints) >= MIN_INLIERS else None
        watch.lap("pnp")
        stage_ms = watch.times_ms()
        if found is None or found[1].sum() < MIN_INLIERS:
            return _lost(keypoints, None if found is None else found[1], stage_ms)
        pose, inliers = found
        points_map = self.known.points_map[keypoints.landmarks]
        errors_px = np.linalg.norm(camera.project(pose.apply(points_map)) - keypoints.positions_px, axis=1)
        return Localized(
            camera_from_map=pose,
            covariance=_covariance(pose, camera, keypoints, points_map, inliers),
            keypoints=keypoints,
            inliers=inliers,
            reprojection_rms_px=float(np.sqrt(np.mean(errors_px[inliers] ** 2))),
            stage_ms=stage_ms,
        )

    def _match(self, keypoints_px: NDArray[np.float64], descriptors: NDArray[np.float32]) -> Keypoints:
        """The keypoints that match a point of the map clearly better than any other."""
        if len(keypoints_px) == 0:
            return NO_KEYPOINTS
        nearest, squared = self._index.knnSearch(descriptors, _NEIGHBOURS, params={"checks": CHECKS})
        points, ratios = self._ratios(nearest, np.sqrt(squared))
        rows = np.flatnonzero(ratios < self._features.max_ratio)
        return Keypoints(points[rows], keypoints_px[rows], 1 - ratios[rows], np.ones(len(rows)))

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

    def _solve(self, keypoints: Keypoints, camera: Camera) -> tuple[SE3, NDArray[np.bool_]] | None:
        import pycolmap

        name, params = colmap_from_camera(camera)
        points_map = self.known.points_map[keypoints.landmarks]
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
    return Lost(reason, f"{detail}; at least {MIN_INLIERS} are needed", keypoints, agreeing, stage_ms)
