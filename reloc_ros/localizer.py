"""One image in, the camera's pose in the map out, or the reason why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import Bundle, NetworkShape
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.inference.backends import make_backend
from reloc_ros.inference.graphs import Backend
from reloc_ros.inference.keypoints import NO_KEYPOINTS, Keypoints
from reloc_ros.inference.letterbox import Letterbox
from reloc_ros.inference.places import ENOUGH
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.local_features.second_way import SecondWay, surer
from reloc_ros.pose.acceptance import LocalizerConfig, LostReason
from reloc_ros.pose.finder import Localized, Lost, PoseFinder
from reloc_ros.refinement.refine import Refiner

LIKELY = len(ENOUGH)
"""So many looks, at most, are for the landmarks of likely places alone."""
DOUBTFUL_SHARE = 0.3
"""Of the reference views' patches: where fewer agree with a pose, local features are asked, too. In pictures of map
images that training did not see, the 95 % region then held 60 % of the errors, and 82 to 99 % where more agree."""


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
        references = bundle.references if self.config.refine else None
        self.refiner = None if references is None else Refiner(references)
        """None without reference views, or where they are not to be used."""
        self._glances = self.refiner is not None and self.config.glance and backend.any_size
        self._glance = self._smaller(bundle.calibration.glance)
        self._finder = PoseFinder(bundle.landmarks, self.config, bundle.calibration, self.refiner, "network")
        self.second_way: SecondWay | None = None
        """What localizes images by local features where the network leaves doubt; None where it cannot be had."""
        if bundle.features is not None and self.config.fallback == "auto":
            own = bundle.features_calibration
            self.second_way = SecondWay(bundle.features, own, self.config, self.refiner)

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
        result = self._by_network(image, used, prior, glance, watch)
        if self.second_way is None or self._leaves_no_doubt(result):
            return result
        return surer(result, self.second_way.localize(image, used, self.mask, watch))

    def _leaves_no_doubt(self, result: Localized | Lost) -> bool:
        """Whether what local features find could not tell more of an image than what the network found."""
        if isinstance(result, Lost):
            return result.final
        if self.refiner is None:
            return True
        return result.refined and result.support is not None and result.support.share >= DOUBTFUL_SHARE

    def look_again(self, image: NDArray[np.uint8], camera: Camera) -> Localized | Lost:
        """Localize an image in which the network was lost by local features alone; arguments as for `localize`."""
        watch = Stopwatch()
        if self.second_way is None:
            nothing = NO_KEYPOINTS, NO_KEYPOINTS.scores > 0, watch.times_ms()
            return Lost(
                LostReason.NO_KEYPOINTS, "the network is lost, and the bundle has no local features", *nothing
            )
        used = self._camera_of(image, camera, watch)
        if isinstance(used, Lost):
            return used
        result = self.second_way.localize(image, used, self.mask, watch)
        if isinstance(result, Localized):
            return result
        return dataclasses.replace(result, detail=f"by local features, as by the network: {result.detail}")

    def _by_network(
        self, image: NDArray[np.uint8], camera: Camera, prior: SE3 | None, glance: bool, watch: Stopwatch
    ) -> Localized | Lost:
        if glance and self._glance is not None:
            glanced = self._by_glance(image, camera, self._glance, prior, watch)
            if glanced is not None:
                return glanced
        network = self.bundle.network
        tried: list[list[int]] = []
        for keypoints in self._looks(image, camera, network, watch):
            places = network.places_of(keypoints.landmarks)
            if tried and places == tried[-1]:
                continue
            tried.append(places)
            result = self._locate(image, camera, keypoints, watch, prior)
            # Where only keypoints speak for a pose, those of all places must.
            if result.refined if isinstance(result, Localized) else result.final:
                return result
        if isinstance(result, Lost) and network.places:
            first = ", ".join(map(str, tried[0]))
            told = f"all {len(network.places)} places were looked for, {first} at first"
            return dataclasses.replace(result, detail=f"{result.detail}; {told}")
        return result

    def glance(self, image: NDArray[np.uint8], camera: Camera, share: float) -> Localized | None:
        """The pose that a glance at a share of the size gives, where that counts; else arguments as for `localize`."""
        shape = self._smaller(share)
        glanced = None if shape is None else self._by_glance(image, camera, shape, None, Stopwatch())
        return glanced if isinstance(glanced, Localized) else None

    def _smaller(self, share: float) -> NetworkShape | None:
        """What the network takes at a glance; None where there is none."""
        return self.bundle.network.at(share) if self._glances else None

    def _by_glance(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        shape: NetworkShape,
        prior: SE3 | None,
        watch: Stopwatch,
    ) -> Localized | Lost | None:
        """What a glance gives, where that counts."""
        keypoints = next(self._looks(image, camera, shape, watch))
        glanced = self._locate(image, camera, keypoints, watch, prior, glance=True)
        if isinstance(glanced, Lost):
            return glanced if glanced.final else None
        if glanced.support is None:
            return None
        return glanced if glanced.support.share >= self.config.glance_share else None

    def confirms(self, image: NDArray[np.uint8], camera: Camera, camera_from_map: SE3) -> bool:
        """Whether what the network sees in an image speaks for a pose as for one that the reference views verified.

        Args:
            image, camera: as for `localize`.
        """
        unit_px = self._network_px(camera)
        for shape in filter(None, (self._glance, self.bundle.network)):
            for keypoints in islice(self._looks(image, camera, shape, Stopwatch()), LIKELY):
                if self._finder.speaks_for(camera_from_map, camera, keypoints, unit_px, self.mask):
                    return True
        return False

    def look(self, image: NDArray[np.uint8], camera: Camera) -> tuple[Keypoints, float]:
        """What the network finds of likely places in an image, and how many of its pixels one of the network's is."""
        *_, keypoints = islice(self._looks(image, camera, self.bundle.network, Stopwatch()), LIKELY)
        return keypoints, self._network_px(camera)

    def localize_keypoints(
        self, image: NDArray[np.uint8], keypoints: Keypoints, camera: Camera | None = None
    ) -> Localized | Lost:
        """Localize one image by keypoints that something else than the network found in it.

        As the network's, those outside the image or with a score below `min_score` are not used.
        """
        watch = Stopwatch()
        used = self._camera_of(image, camera, watch)
        if isinstance(used, Lost):
            return used
        located = self._locate(image, used, self._of_use(keypoints), watch)
        return dataclasses.replace(located, found_by="detections")

    def _locate(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        keypoints: Keypoints,
        watch: Stopwatch,
        prior: SE3 | None = None,
        glance: bool = False,
    ) -> Localized | Lost:
        unit_px = self._network_px(camera)
        return self._finder.find(image, camera, keypoints, unit_px, watch, self.mask, prior, glance)

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

    def _looks(
        self, image: NDArray[np.uint8], camera: Camera, shape: NetworkShape, watch: Stopwatch
    ) -> Iterator[Keypoints]:
        """What the network finds in an image, shown to it at a size: at each attempt."""
        letterbox = _letterbox(camera, shape)
        network_input = letterbox.apply(image)
        watch.lap("prepare")
        scale, floor_px = self.bundle.calibration.sigma_scale, self.config.min_sigma_px
        for attempt in range(self.backend.attempts):
            found = self.backend.infer(network_input, attempt)
            watch.lap("network")
            yield self._of_use(Keypoints.of(found, letterbox, scale, floor_px))

    def _of_use(self, keypoints: Keypoints) -> Keypoints:
        """Without landmarks that are not where they were."""
        ignored = self.bundle.ignored
        return keypoints.subset(~np.isin(keypoints.landmarks, ignored)) if ignored else keypoints

    def _network_px(self, camera: Camera) -> float:
        """A pixel of the network's input, in the image's."""
        return float(np.mean(_letterbox(camera, self.bundle.network).source_per_network))


def _letterbox(camera: Camera, shape: NetworkShape) -> Letterbox:
    return Letterbox(camera.width, camera.height, shape.width, shape.height)


def _bad_image(problem: str, watch: Stopwatch) -> Lost:
    return Lost(LostReason.BAD_IMAGE, problem, NO_KEYPOINTS, NO_KEYPOINTS.scores > 0, watch.times_ms())
