"""One image in, the camera's pose in the map out, or the reason why not."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import Bundle, NetworkShape
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.inference.backends import Backend, make_backend
from reloc_ros.inference.keypoints import NO_KEYPOINTS, Keypoints
from reloc_ros.inference.letterbox import Letterbox
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.pose.acceptance import LocalizerConfig, LostReason, refuse_inliers, refuse_pose
from reloc_ros.pose.pnp import Correspondences, Refined, make_solver, refine, reprojection_errors
from reloc_ros.pose.prior import best_pose
from reloc_ros.refinement.alignment import Support
from reloc_ros.refinement.refine import Refiner

_logger = logging.getLogger(__name__)
_NOT_VERIFIED = LostReason.WEAK_EVIDENCE, "the reference views do not verify the pose"


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
    refined: bool = False
    """Whether the pose was sharpened against the reference views."""
    support: Support | None = None
    """How the reference views agree with the image; None when that was not asked."""
    tracked: bool = False
    """Whether the pose was followed from the image before by the reference views, without the network."""


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


class Localizer:
    """Recover the pose of single images in one map."""

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        config: LocalizerConfig | None = None,
        mask: ImageMask | None = None,
    ) -> None:
        self.bundle = bundle
        self.backend = backend
        self.mask = mask
        self.config = (config or LocalizerConfig()).for_bundle(bundle.calibration)
        self._solve = make_solver(self.config.solver)
        references = bundle.references if self.config.refine else None
        self.refiner = None if references is None else Refiner(references, mask)
        """None without reference views, or where they are not to be used."""
        glances = self.refiner is not None and self.config.glance and backend.any_size
        self._glance = bundle.network.glance if glances else None

    @staticmethod
    def from_bundle(
        path: str | Path,
        backend: str = "auto",
        config: LocalizerConfig | None = None,
        threads: int = 0,
        precision: str = "auto",
        mask: ImageMask | None = None,
    ) -> Localizer:
        """Load a bundle and start a backend.

        Args:
            mask: what of the camera's picture shows the robot; nothing found there is used.

        Raises:
            RelocError: when the bundle is wrong or the backend cannot start.
        """
        bundle = Bundle.load(path)
        return Localizer(bundle, make_backend(bundle, backend, threads, precision), config, mask)

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera | None = None,
        prior: SE3 | None = None,
        glance: bool = True,
    ) -> Localized | Lost:
        """Localize one image.

        Args:
            image: (H, W, 3) BGR or (H, W) grey, uint8, as the camera delivers it, distortion included.
            camera: its intrinsics; the map's own, resized to the image, when not given, if it is clear which that is.
            prior: camera_from_map where the camera is expected, if it is: one hypothesis more for the search, judged
                by the same keypoints as all others.
            glance: whether to look at it in half its size first, which makes a pose cheaper and being lost dearer.
        """
        watch = Stopwatch()
        used = self._camera_of(image, camera, watch)
        if isinstance(used, Lost):
            return used
        if glance and self._glance is not None:
            keypoints = self._look(image, used, self._glance, watch)
            glanced = self._locate(image, used, keypoints, prior, watch, glance=True)
            if isinstance(glanced, Localized) and glanced.support.share >= self.config.glance_share:
                return glanced
        keypoints = self._look(image, used, self.bundle.network, watch)
        return self._locate(image, used, keypoints, prior, watch)

    def confirms(self, image: NDArray[np.uint8], camera: Camera, camera_from_map: SE3) -> bool:
        """Whether what the network sees in an image speaks for a pose as for one that the reference views verified.

        Args:
            image, camera: as for `localize`.
        """
        for shape in filter(None, (self._glance, self.bundle.network)):
            keypoints, matches = self._match(self._look(image, camera, shape, Stopwatch()), camera)
            inliers = reprojection_errors(camera_from_map, matches) < self._limit(camera)
            judged = (keypoints.positions_px, keypoints.scores, camera_from_map, inliers, camera.width)
            if refuse_inliers(self.config, *judged, verified=True) is None:
                return True
        return False

    def localize_keypoints(
        self, image: NDArray[np.uint8], keypoints: Keypoints, camera: Camera | None = None
    ) -> Localized | Lost:
        """Localize one image by keypoints that something else than the network found in it.

        As the network's, those outside the image or with a score below `min_score` are not used.
        """
        watch = Stopwatch()
        used = self._camera_of(image, camera, watch)
        return used if isinstance(used, Lost) else self._locate(image, used, keypoints, None, watch)

    def _locate(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        keypoints: Keypoints,
        prior: SE3 | None,
        watch: Stopwatch,
        glance: bool = False,
    ) -> Localized | Lost:
        """The pose that the keypoints give: found robustly, refined, judged, and sharpened.

        Those of a glance must speak for it as if nothing verified it, and the reference views must, too.
        """
        keypoints, matches = self._match(keypoints, camera)
        pose, inliers = self._search(matches, keypoints.scores, prior, self._limit(camera))
        judged = (self.config, keypoints.positions_px, keypoints.scores, pose, inliers, camera.width)
        refusal = refuse_inliers(*judged, verified=self.refiner is not None and not glance)
        if pose is not None and refusal is None:
            agreeing = matches.subset(inliers)
            seen = self.bundle.landmarks.subset(keypoints.landmarks[inliers])
            try:
                refined = refine(pose, agreeing).scaled(self.bundle.calibration.coarse_scale)
                refusal = refuse_pose(self.config, refined, agreeing, seen, self._ray_per_network_px(camera))
            except np.linalg.LinAlgError:
                refusal = LostReason.UNCERTAIN_POSE, "the landmarks found lie so that they fix no pose"
        watch.lap("pnp")
        if refusal is not None:
            return Lost(*refusal, keypoints, inliers, watch.times_ms())
        refined, sharpened, support = self._sharpen(image, camera, refined, agreeing)
        if support is not None:
            watch.lap("refine")
        if not sharpened and (refusal := _NOT_VERIFIED if glance else refuse_inliers(*judged)):
            return Lost(*refusal, keypoints, inliers, watch.times_ms())
        rms_px = float(np.sqrt(np.mean(refined.residuals**2)) * camera.mean_focal)
        pose, covariance = refined.camera_from_map, refined.covariance
        return Localized(pose, covariance, keypoints, inliers, rms_px, watch.times_ms(), sharpened, support)

    def _sharpen(
        self, image: NDArray[np.uint8], camera: Camera, coarse: Refined, agreeing: Correspondences
    ) -> tuple[Refined, bool, Support | None]:
        """The pose to report, whether it is a sharpened one, and the photometric support, if that was asked."""
        if self.refiner is None:
            return coarse, False, None
        try:
            refinement = self.refiner.refine(image, camera, coarse.camera_from_map, agreeing)
        except np.linalg.LinAlgError:
            _logger.debug("the pose was not sharpened: the patches fix none")
            return coarse, False, None
        if refinement.covariance is None:
            _logger.debug("the pose was not sharpened: %s", refinement.doubt)
            return coarse, False, refinement.support
        pose = refinement.camera_from_map
        sharpened = Refined(pose, refinement.covariance, reprojection_errors(pose, agreeing))
        return sharpened.scaled(self.bundle.calibration.refined_scale), True, refinement.support

    def _camera_of(self, image: NDArray[np.uint8], camera: Camera | None, watch: Stopwatch) -> Camera | Lost:
        """The camera to use, or what is wrong with the image."""
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            found = getattr(image, "dtype", type(image).__name__)
            return _bad_image(f"the image must be a uint8 array, got {found}", watch)
        if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or image.size == 0:
            return _bad_image(f"the image must have shape (H, W, 3) or (H, W), got {image.shape}", watch)
        (height, width), default = image.shape[:2], self.bundle.camera
        if self.mask is not None and (problem := self.mask.problem_with(width, height)):
            return _bad_image(problem, watch)
        if camera is None:
            try:
                own = self.bundle.camera_for(width, height)
            except RelocError as error:
                return _bad_image(str(error), watch)
            return own or _bad_image(
                f"the image is {width}x{height}, of another aspect than the map's {default.width}x"
                f"{default.height}; give its camera's intrinsics",
                watch,
            )
        if (camera.width, camera.height) == (width, height):
            return camera
        calibrated = f"{camera.width}x{camera.height}"
        return _bad_image(
            f"the image is {width}x{height} but its camera is calibrated for {calibrated}", watch
        )

    def _look(
        self, image: NDArray[np.uint8], camera: Camera, shape: NetworkShape, watch: Stopwatch
    ) -> Keypoints:
        """What the network finds in an image, shown to it at a size."""
        letterbox = _letterbox(camera, shape)
        network_input = letterbox.apply(image)
        watch.lap("prepare")
        found = self.backend.infer(network_input)
        watch.lap("network")
        scale, floor_px = self.bundle.calibration.sigma_scale, self.config.min_sigma_px
        return Keypoints.of(found, letterbox, scale, floor_px)

    def _ray_per_network_px(self, camera: Camera) -> float:
        """A pixel of the network's input on the plane z = 1."""
        return float(np.mean(_letterbox(camera, self.bundle.network).source_per_network)) / camera.mean_focal

    def _limit(self, camera: Camera) -> float:
        """Largest reprojection error of an inlier on the plane z = 1."""
        return self.config.max_error_px * self._ray_per_network_px(camera)

    def _match(self, keypoints: Keypoints, camera: Camera) -> tuple[Keypoints, Correspondences]:
        """The keypoints that are in the image, not doubtful, and of use to PnP, and their landmarks."""
        usable = camera.contains(keypoints.positions_px) & (keypoints.scores >= self.config.min_score)
        if self.mask is not None:
            usable &= self.mask.allows(keypoints.positions_px, camera.width, camera.height)
        keypoints = keypoints.subset(usable)
        rays = camera.unproject(keypoints.positions_px)
        finite = np.isfinite(rays).all(axis=1)  # PnP cannot go beside or behind the camera, as fisheyes see
        keypoints, rays = keypoints.subset(finite), rays[finite]
        points_map = self.bundle.landmarks.positions_map[keypoints.landmarks]
        return keypoints, Correspondences(points_map, rays, keypoints.sigmas_px / camera.mean_focal)

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


def _letterbox(camera: Camera, shape: NetworkShape) -> Letterbox:
    return Letterbox(camera.width, camera.height, shape.width, shape.height)


def _bad_image(problem: str, watch: Stopwatch) -> Lost:
    return Lost(LostReason.BAD_IMAGE, problem, NO_KEYPOINTS, NO_KEYPOINTS.scores > 0, watch.times_ms())
