"""One image in, the camera's pose in the map out, or the reason why not."""

from __future__ import annotations

import dataclasses
import enum
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.backends import Backend, make_backend
from reloc_ros.bundle import Bundle
from reloc_ros.geometry import SE3, Camera
from reloc_ros.letterbox import Letterbox
from reloc_ros.pnp import Correspondences, Refined, Solver, make_solver, refine, reprojection_errors


class LostReason(str, enum.Enum):
    """Why there is no pose."""

    BAD_IMAGE = "bad_image"
    NO_KEYPOINTS = "no_keypoints"
    TOO_FEW_KEYPOINTS = "too_few_keypoints"
    NO_CONSENSUS = "no_consensus"
    TOO_FEW_INLIERS = "too_few_inliers"
    POOR_SPREAD = "poor_spread"
    LARGE_RESIDUAL = "large_residual"
    UNCERTAIN_POSE = "uncertain_pose"
    IMPLAUSIBLE_VIEW = "implausible_view"


@dataclasses.dataclass(frozen=True, eq=False)
class Keypoints:
    """The landmarks the network found in one image, N of K."""

    landmarks: NDArray[np.int64]
    """(N,) rows of the bundle's landmarks."""
    positions_px: NDArray[np.float64]
    """(N, 2) in the image's pixels."""
    scores: NDArray[np.float64]
    """(N,) probability that the landmark is there, 0 to 1."""
    sigmas_px: NDArray[np.float64]
    """(N,) standard deviation per axis in the image's pixels."""

    def __len__(self) -> int:
        return len(self.landmarks)


NO_KEYPOINTS = Keypoints(np.zeros(0, dtype=np.int64), np.zeros((0, 2)), np.zeros(0), np.zeros(0))


@dataclasses.dataclass(frozen=True, eq=False)
class Localized:
    """A pose that passed every test."""

    camera_from_map: SE3
    covariance: NDArray[np.float64]
    """(6, 6) of map_from_camera: x, y, z in the map, then rotation about the map's fixed axes (REP-103)."""
    keypoints: Keypoints
    inliers: NDArray[np.bool_]
    """(N,) which keypoints agree with the pose."""
    reprojection_rms_px: float
    """Over the inliers, in the image's pixels."""
    stage_ms: dict[str, float]
    """Time of each stage and their `total`."""


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


@dataclasses.dataclass(frozen=True)
class LocalizerConfig:
    """When a pose is good enough to be published."""

    solver: Solver = "auto"
    min_score: float = 0.2
    """Keypoints below are not used."""
    min_keypoints: int = 6
    min_inliers: int = 8
    min_inlier_share: float = 0.4
    max_error_px: float = 8.0
    """Reprojection error of an inlier, in pixels of the network's input."""
    min_spread: float = 0.03
    """Standard deviation of the inliers along their narrower direction, as a share of the image's width."""
    max_position_sigma: float = 0.1
    """Standard deviation of the position as a share of the median distance to the landmarks."""
    max_rotation_sigma_deg: float = 5.0
    min_in_cone_share: float = 0.5
    """Share of the inliers that the pose sees from an angle they were seen from when the map was made."""
    cone_margin_deg: float = 30.0
    min_sigma_px: float = 0.5
    """Floor of the network's own sigma, in pixels of its input."""


class Localizer:
    """Recover the pose of single images in one map."""

    def __init__(self, bundle: Bundle, backend: Backend, config: LocalizerConfig | None = None) -> None:
        self.bundle = bundle
        self.backend = backend
        self.config = config or LocalizerConfig()
        self._solve = make_solver(self.config.solver)

    @staticmethod
    def from_bundle(
        path: str | Path, backend: str = "auto", config: LocalizerConfig | None = None, threads: int = 0
    ) -> Localizer:
        """Load a bundle and start a backend.

        Raises:
            RelocError: when the bundle is wrong or the backend cannot start.
        """
        bundle = Bundle.load(path)
        return Localizer(bundle, make_backend(bundle, backend, threads), config)

    def localize(self, image: NDArray[np.uint8], camera: Camera | None = None) -> Localized | Lost:
        """Localize one image.

        Args:
            image: (H, W, 3) BGR or (H, W) grey, uint8, as the camera delivers it, distortion included.
            camera: its intrinsics; the map's own, resized to the image, when not given.
        """
        watch = _Stopwatch()
        camera, problem = self._check(image, camera)
        if problem:
            return Lost(
                LostReason.BAD_IMAGE, problem, NO_KEYPOINTS, NO_KEYPOINTS.scores > 0, watch.times_ms()
            )
        letterbox = Letterbox(
            camera.width, camera.height, self.bundle.network.width, self.bundle.network.height
        )
        network_input = letterbox.apply(image)
        watch.lap("prepare")
        found = self.backend.infer(network_input)
        watch.lap("network")
        keypoints = self._keypoints(found, letterbox)
        matches = self._matches(keypoints, camera)
        pose, inliers = self._search(matches, camera, letterbox)
        watch.lap("pnp")
        refusal = self._refuse_inliers(keypoints, pose, inliers, camera)
        if refusal is None:
            refined = refine(pose, matches.subset(inliers))
            refusal = self._refuse_pose(refined, matches.subset(inliers), keypoints.landmarks[inliers])
            watch.lap("refine")
        if refusal is not None:
            return Lost(*refusal, keypoints, inliers, watch.times_ms())
        rms_px = float(np.sqrt(np.mean(refined.residuals**2)) * _mean_focal(camera))
        return Localized(
            refined.camera_from_map, refined.covariance, keypoints, inliers, rms_px, watch.times_ms()
        )

    def _check(self, image: NDArray[np.uint8], camera: Camera | None) -> tuple[Camera, str | None]:
        """The camera to use, and what is wrong with the image."""
        default = self.bundle.camera
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            return (
                default,
                f"the image must be a uint8 array, got {getattr(image, 'dtype', type(image).__name__)}",
            )
        if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or image.size == 0:
            return default, f"the image must have shape (H, W, 3) or (H, W), got {image.shape}"
        height, width = image.shape[:2]
        if camera is None:
            if abs(width * default.height - height * default.width) > max(width, height):
                return default, (
                    f"the image is {width}x{height}, of another aspect than the map's {default.width}x"
                    f"{default.height}; give its camera's intrinsics"
                )
            return default.resized(width, height), None
        if (camera.width, camera.height) != (width, height):
            return camera, (
                f"the image is {width}x{height} but its camera is calibrated for {camera.width}x{camera.height}"
            )
        return camera, None

    def _keypoints(self, found: NDArray[np.float32], letterbox: Letterbox) -> Keypoints:
        """Network output (K, 4) to keypoints in the image's pixels, the doubtful ones left out."""
        found = found.astype(np.float64)
        width, height = letterbox.inner_size
        x, y = (found[:, :2] - letterbox.offset).T
        inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
        rows = np.flatnonzero(
            np.isfinite(found).all(axis=1) & inside & (found[:, 2] >= self.config.min_score)
        )
        sigmas = np.maximum(found[rows, 3], self.config.min_sigma_px) * np.mean(letterbox.source_per_network)
        return Keypoints(rows, letterbox.to_source(found[rows, :2]), found[rows, 2], sigmas)

    def _matches(self, keypoints: Keypoints, camera: Camera) -> Correspondences:
        rays = camera.unproject(keypoints.positions_px)
        points_map = self.bundle.landmarks.positions_map[keypoints.landmarks]
        return Correspondences(points_map, rays, keypoints.sigmas_px / _mean_focal(camera))

    def _search(
        self, matches: Correspondences, camera: Camera, letterbox: Letterbox
    ) -> tuple[SE3 | None, NDArray[np.bool_]]:
        """The robust solver's pose and the keypoints that agree with it (N,)."""
        pose = None
        if len(matches) >= self.config.min_keypoints:
            limit = (
                self.config.max_error_px * float(np.mean(letterbox.source_per_network)) / _mean_focal(camera)
            )
            pose = self._solve(matches, limit)
        if pose is None:
            return None, np.zeros(len(matches), dtype=bool)
        return pose, reprojection_errors(pose, matches) < limit

    def _refuse_inliers(
        self, keypoints: Keypoints, pose: SE3 | None, inliers: NDArray[np.bool_], camera: Camera
    ) -> tuple[LostReason, str] | None:
        config, count = self.config, int(inliers.sum())
        if len(keypoints) == 0:
            return LostReason.NO_KEYPOINTS, "no landmark of the map was found in the image"
        if len(keypoints) < config.min_keypoints:
            return (
                LostReason.TOO_FEW_KEYPOINTS,
                f"{len(keypoints)} landmarks found, {config.min_keypoints} needed",
            )
        if pose is None or count < config.min_inlier_share * len(keypoints):
            return LostReason.NO_CONSENSUS, f"no pose explains the {len(keypoints)} landmarks found"
        if count < config.min_inliers:
            return (
                LostReason.TOO_FEW_INLIERS,
                f"{count} landmarks agree on a pose, {config.min_inliers} needed",
            )
        narrow_px = np.sqrt(max(np.linalg.eigvalsh(np.cov(keypoints.positions_px[inliers].T))[0], 0))
        if narrow_px < config.min_spread * camera.width:
            return (
                LostReason.POOR_SPREAD,
                f"the landmarks spread over {narrow_px:.0f} px only, along a line or a spot",
            )
        return None

    def _refuse_pose(
        self, refined: Refined, matches: Correspondences, landmarks: NDArray[np.int64]
    ) -> tuple[LostReason, str] | None:
        config, pose = self.config, refined.camera_from_map
        if not np.isfinite(refined.residuals).all():
            return LostReason.LARGE_RESIDUAL, "the refined pose has landmarks behind the camera"
        sigmas = np.sqrt(np.diag(refined.covariance))
        distance = float(np.median(np.linalg.norm(matches.points_map - pose.center, axis=1)))
        if sigmas[:3].max() > config.max_position_sigma * distance:
            share = 100 * sigmas[:3].max() / distance
            return LostReason.UNCERTAIN_POSE, f"the position is uncertain by {share:.0f} % of the distance"
        if np.degrees(sigmas[3:].max()) > config.max_rotation_sigma_deg:
            return (
                LostReason.UNCERTAIN_POSE,
                f"the rotation is uncertain by {np.degrees(sigmas[3:].max()):.0f} deg",
            )
        rays = pose.center - matches.points_map
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        model = self.bundle.landmarks
        angles = np.arccos(np.clip(np.einsum("ij,ij->i", rays, model.directions_map[landmarks]), -1, 1))
        in_cone = angles < model.view_cones_rad[landmarks] + np.radians(config.cone_margin_deg)
        if in_cone.mean() < config.min_in_cone_share:
            return LostReason.IMPLAUSIBLE_VIEW, "the pose sees most landmarks from where they never were seen"
        return None


class _Stopwatch:
    """Times of consecutive stages."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._laps[stage] = 1e3 * (now - self._last)
        self._last = now

    def times_ms(self) -> dict[str, float]:
        return {**self._laps, "total": 1e3 * (time.perf_counter() - self._start)}


def _mean_focal(camera: Camera) -> float:
    return 0.5 * (camera.fx + camera.fy)
