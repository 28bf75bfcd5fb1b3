"""Most images of a stream need no full search: a pose is expected, and the map's reference views tell if it holds.

An expectation can be wrong in ways that the patches of the views do not show, so every few images the network is a
second witness, after the pose is out, and nothing is followed where either speaks against it. Poses that were followed
are no evidence of their own: they start from one that the stream already counts on.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import typing
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.inference.keypoints import NO_KEYPOINTS
from reloc_ros.inference.stopwatch import Stopwatch
from reloc_ros.localizer import Localizer
from reloc_ros.pose.finder import Localized, Lost
from reloc_ros.refinement.alignment import Appearance, Support
from reloc_ros.stream.status import StampedPose

_logger = logging.getLogger(__name__)
Tracking = Literal["auto", "off"]


@dataclasses.dataclass(frozen=True)
class TrackerConfig:
    """When an expected pose is followed."""

    tracking: Tracking = "auto"
    """`off` localizes every image from nothing."""
    confirm_every: int = 8
    """While tracking, the network looks at one image in so many, once its pose is out."""
    max_gap_s: float = 0.2
    """Longest time since the image before."""
    max_share_loss: float = 0.3
    """Part of the agreeing patches that may be lost since the last full search."""
    max_sigma_growth: float = 2.0
    """Of the standard deviations of the position, since then."""

    def __post_init__(self) -> None:
        if self.tracking not in typing.get_args(Tracking):
            raise RelocError(
                f"unknown tracking {self.tracking!r}; use {' or '.join(typing.get_args(Tracking))}"
            )
        if self.confirm_every < 1:
            raise RelocError(f"confirm_every must be at least 1, got {self.confirm_every}")


_MOST_STEPS = 3.0
"""A velocity is believed for so many times the time that it was taken over."""


@dataclasses.dataclass(eq=False)
class _Anchor:
    """The last full search, and what came of it until now."""

    support: Support
    """Of its pose, by the reference views."""
    sigma: float
    """Standard deviation of its position, map units."""
    camera: Camera
    looks: Appearance | None
    """How the map looks from there."""
    newest: StampedPose
    """The last image's pose."""
    before: StampedPose | None
    """And the one's before, for the velocity."""
    followed: int = 0
    """Images since, or since the network last looked."""


class Tracker:
    """Localizes the images of one stream in order, as `Localizer` does, at less cost where the pose is expected."""

    def __init__(self, localizer: Localizer, config: TrackerConfig | None = None) -> None:
        self._localizer = localizer
        self.config = config or TrackerConfig()
        self._anchor: _Anchor | None = None
        self._adopted: _Anchor | None = None
        self._unconfirmed: tuple[NDArray[np.uint8], Camera, SE3] | None = None

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        stamp_s: float,
        last: StampedPose | None,
        expected: SE3 | None = None,
    ) -> Localized | Lost:
        """Localize the next image.

        Args:
            image: as for `Localizer.localize`.
            camera: its intrinsics.
            stamp_s: when it was taken.
            last: the last pose that the stream counts on; None while it is lost.
            expected: camera_from_map where odometry puts the camera; None where that is not known.
        """
        adopted = self._adopted  # once: another thread may replace it meanwhile
        if adopted is not None and last is not None and last.stamp_s == adopted.newest.stamp_s:
            self._anchor, self._adopted = adopted, None
        anchor, self._unconfirmed = self._anchor, None
        if anchor is None or last is None or last.stamp_s != anchor.newest.stamp_s:
            anchor = None
            prior = expected or (last.camera_from_map if last else None)
        else:
            prior = expected or _moved_on(anchor, stamp_s)
            fits = image.dtype == np.uint8 and image.shape[:2] == (camera.height, camera.width)
            near = 0 < stamp_s - last.stamp_s <= self.config.max_gap_s
            if fits and near and camera == anchor.camera and (pose := self._follow(image, anchor, prior)):
                anchor.before, anchor.newest = anchor.newest, StampedPose(pose.camera_from_map, stamp_s)
                anchor.followed += 1
                if anchor.followed >= self.config.confirm_every:
                    self._unconfirmed = image, camera, pose.camera_from_map
                return pose
        # Where it is lost, it probably stays so: no glance then.
        result = self._localizer.localize(image, camera, prior, glance=last is not None)
        self._anchor = self._anchored(result, camera, stamp_s, anchor)
        return result

    def confirm(self) -> None:
        """Call it when a result has been handed on: has the network look at the image, where it is time for that.

        Where it does not speak for the pose, the next image is localized from nothing.
        """
        if self._unconfirmed is None or self._anchor is None:
            return
        if self._localizer.confirms(*self._unconfirmed):
            self._anchor.followed = 0
        else:
            _logger.debug("the network does not speak for the pose that was followed")
            self._anchor = None
        self._unconfirmed = None

    def adopt(self, result: Localized | Lost, camera: Camera, stamp_s: float) -> None:
        """Follow from a pose that was found by something else, once the stream counts on it.

        May be called from another thread than the rest.
        """
        self._adopted = self._anchored(result, camera, stamp_s, None)

    def _anchored(
        self, result: Localized | Lost, camera: Camera, stamp_s: float, former: _Anchor | None
    ) -> _Anchor | None:
        """What to follow from, after a full search."""
        if not (isinstance(result, Localized) and result.refined and result.support):
            return None
        pose = StampedPose(result.camera_from_map, stamp_s)
        sigma = _position_sigma(result.covariance)
        return _Anchor(result.support, sigma, camera, None, pose, former.newest if former else None)

    def _follow(self, image: NDArray[np.uint8], anchor: _Anchor, expected: SE3) -> Localized | None:
        """The pose near the expected one, if the patches leave no doubt."""
        refiner = self._localizer.refiner
        if self.config.tracking == "off" or refiner is None:
            return None
        watch = Stopwatch()
        if anchor.looks is None or not anchor.looks.suits(expected):
            anchor.looks = refiner.appearance(anchor.camera, expected)
        followed = refiner.follow(image, anchor.looks, expected, self._localizer.mask)
        watch.lap("refine")
        if followed.covariance is None:
            _logger.debug("the pose was not followed: %s", followed.doubt)
            return None
        covariance = self._localizer.bundle.calibration.refined_scale**2 * followed.covariance
        if not self._holds(followed.support, covariance, anchor):
            return None
        return Localized(
            followed.camera_from_map,
            covariance,
            NO_KEYPOINTS,
            NO_KEYPOINTS.scores > 0,
            math.nan,
            watch.times_ms(),
            refined=True,
            support=followed.support,
            found_by="tracking",
        )

    def _holds(self, support: Support, covariance: NDArray[np.float64], start: _Anchor) -> bool:
        """Whether a followed pose is supported and fixed about as well as the one that it started from."""
        return (
            support.share >= (1 - self.config.max_share_loss) * start.support.share
            and _position_sigma(covariance) <= self.config.max_sigma_growth * start.sigma
        )


class SecondLooks:
    """Localizes images of a stream that the network lost, by local features, and lets the tracker go on from there."""

    def __init__(self, localizer: Localizer, tracker: Tracker) -> None:
        self._localizer, self._tracker = localizer, tracker

    @property
    def is_of_use(self) -> bool:
        """Whether there are local features to look again by; without, each image is lost."""
        return self._localizer.second_way is not None

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        stamp_s: float,
        last: StampedPose | None,
        expected: SE3 | None = None,
    ) -> Localized | Lost:
        """As `Tracker.localize`, from this image alone."""
        result = self._localizer.look_again(image, camera)
        self._tracker.adopt(result, camera, stamp_s)
        return result


def _position_sigma(covariance: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.trace(covariance[:3, :3])))


def _moved_on(anchor: _Anchor, stamp_s: float) -> SE3:
    """Where the camera is at a time if it moves on as it did between the last two images, in its own frame."""
    newest, before = anchor.newest, anchor.before
    if before is None or not newest.stamp_s > before.stamp_s:
        return newest.camera_from_map
    step = newest.camera_from_map @ before.camera_from_map.inverse()
    share = min((stamp_s - newest.stamp_s) / (newest.stamp_s - before.stamp_s), _MOST_STEPS)
    return (
        SE3.from_rotation_vector(share * step.rotation_vector, share * step.translation)
        @ newest.camera_from_map
    )
