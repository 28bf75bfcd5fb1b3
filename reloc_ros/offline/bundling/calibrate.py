"""Measure how far a bundle's keypoints and poses can be trusted, on map images that it was not trained on.

Each of them is shown many times, as turned and zoomed cameras in all kinds of conditions would have taken it: what
the network then says of landmarks whose place is known gives the scale of its sigmas, and the poses give the scale of
their covariances. Mirrored and scrambled, the same pictures tell how much evidence a pose must have to be believed,
where nothing else speaks for it and where the reference views verify it. The photographs as they are tell how small a
picture is enough for most poses.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import Bundle
from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.inference.graphs import Backend
from reloc_ros.localizer import Localized, Localizer, Lost
from reloc_ros.offline.bundling.trial_pictures import Photo, of_no_place, of_the_place
from reloc_ros.offline.bundling.trial_poses import (
    MIN_SAMPLES,
    SCALE_RANGE,
    account,
    evidence_of,
    judge,
    pose_scale,
)
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.pose.acceptance import LocalizerConfig
from reloc_ros.refinement.references import References

Array = NDArray[np.float64]

TRIALS = 240
"""Pictures of the place, and as many of no place."""
FAR_PX = 8.0
"""Keypoints farther from their landmark, network pixels, found something else: the robust search sorts them out."""
FALSE_ALARMS = 1e-3
"""Share of pictures of no place that may have enough evidence; the other tests refuse most of those."""
EVIDENCE_RANGE = (3.0, 16.0)
"""Small networks, whose pixels are coarse, see poses in pictures of no place more often, and need the upper part."""
GLANCES = (0.5, 0.625, 0.75)
"""Sizes that a glance may have, as shares of the whole picture's."""
GLANCED = 80
"""Photographs at most that a size of the glance is chosen by."""

OPEN = LocalizerConfig(
    fallback="off",
    min_inliers=6,
    min_evidence=-np.inf,
    max_rms_px=np.inf,
    min_spread=0.0,
    max_position_sigma=np.inf,
    max_rotation_sigma_deg=np.inf,
    min_in_cone_share=0.0,
)
"""Every pose that can be computed passes."""
LEAST = LocalizerConfig(
    fallback="off",
    glance=False,
    min_evidence=EVIDENCE_RANGE[0],
    verified_share=UNCALIBRATED.verified_share,
)
"""What is asked of poses in the best of bundles."""


def calibrate(
    bundle: Bundle,
    backend: Backend,
    photos: Sequence[Photo],
    count: int = TRIALS,
    progress: Progress = silent,
) -> Calibration:
    """Calibrate a bundle by photographs that its network was not trained on, `count` pictures of each kind."""
    backend = _RememberingBackend(backend)
    references = views_without(bundle.references, photos)

    def judging(config: LocalizerConfig, calibration: Calibration, refine: bool) -> Localizer:
        unseen = dataclasses.replace(bundle, references=references, calibration=calibration)
        return Localizer(unseen, backend, dataclasses.replace(config, refine=refine))

    tell = partial(counted, count=count, progress=progress)
    raw = judging(OPEN, UNCALIBRATED, refine=False)
    here = [of_the_place(photos[seed % len(photos)], seed) for seed in range(count)]
    squares = [_squares(bundle, picture, _run(raw, picture)) for picture in tell("calibrate", here)]
    measured = dataclasses.replace(UNCALIBRATED, sigma_scale=_sigma_scale(np.concatenate(squares)))
    least = judging(LEAST, measured, refine=True)
    there = (of_no_place(photos[seed % len(photos)], seed) for seed in range(count))
    strays = [[_run(one, picture) for one in (raw, least)] for picture in tell("pictures of no place", there)]
    reached = np.array([evidence_of(result) for result, _ in strays])
    needed = needed_evidence(reached)
    share = verified_share([result for _, result in strays], needed)
    localizers = [judging(OPEN, measured, refine) for refine in (False, True)]
    trials = [[judge(bundle.landmarks, p, _run(one, p)) for one in localizers] for p in tell("poses", here)]
    coarse = [trial for trial, _ in trials]
    sharpened = [trial for _, trial in trials if trial.refined]
    found = dataclasses.replace(
        measured,
        coarse_scale=pose_scale(coarse, needed),
        refined_scale=pose_scale(sharpened, share * needed),
        min_evidence=needed,
        verified_share=share,
        made_from=account(photos, coarse, sharpened, reached, needed, share),
    )
    glancing = judging(LocalizerConfig(fallback="off"), found, refine=True)
    return dataclasses.replace(found, glance=best_glance(glancing, photos, progress))


def best_glance(localizer: Localizer, photos: Sequence[Photo], progress: Progress) -> float:
    """The size of a glance, as a share of the whole picture's, that costs least in the mean.

    A look costs as the area of the picture, and a whole one is needed where a glance does not find the pose.

    Args: photos: as they were taken.
    """
    costs = {}
    some = photos[:: -(-len(photos) // GLANCED)]
    for share in GLANCES:
        phase = f"glances at {share:.0%} of the size"
        found = [
            localizer.glance(photo.image, photo.camera, share) is not None
            for photo in counted(phase, some, len(some), progress)
        ]
        costs[share] = share**2 + 1 - float(np.mean(found))
    return min(costs, key=costs.__getitem__)


def counted(phase: str, pictures: Iterable[Photo], count: int, progress: Progress) -> Iterator[Photo]:
    """The pictures, each told as done once the caller asks for the next."""
    for done, picture in enumerate(pictures):
        yield picture
        progress(phase, done + 1, count)


def _run(localizer: Localizer, picture: Photo) -> Localized | Lost:
    return localizer.localize(picture.image, picture.camera)


def _squares(bundle: Bundle, picture: Photo, result: Localized | Lost) -> Array:
    """Squared errors of the keypoints that found their landmark, per axis, in units of the network's own sigma."""
    found, network = result.keypoints, bundle.network
    points = picture.camera_from_map.apply(bundle.landmarks.positions_map[found.landmarks])
    errors_px = np.linalg.norm(picture.camera.project(points) - found.positions_px, axis=1)
    per_network = max(picture.camera.width / network.width, picture.camera.height / network.height)
    near = errors_px < FAR_PX * per_network  # False for NaN, too
    return 0.5 * (errors_px[near] / found.sigmas_px[near]) ** 2


def _sigma_scale(squares: Array) -> float:
    """What makes the mean squared error one."""
    if len(squares) < MIN_SAMPLES:
        return UNCALIBRATED.sigma_scale
    return float(np.clip(np.sqrt(squares.mean()), *SCALE_RANGE))


def needed_evidence(strays: Array, limits: tuple[float, float] = EVIDENCE_RANGE) -> float:
    """What one in 1 / FALSE_ALARMS pictures of no place reaches, by an exponential tail through the highest tenth."""
    start = np.quantile(strays, 0.9)
    return float(np.clip(_rarely_reached(start, strays[strays > start], 0.1), *limits))


def verified_share(results: Sequence[Localized | Lost], needed: float) -> float:
    """What share of the evidence needed is enough where the reference views verify a pose.

    Args:
        results: what pictures of no place gave where the least evidence was enough.
    """
    least = LEAST.needed_evidence(verified=True)
    passed = [each for each in results if isinstance(each, Localized) and each.refined]
    # As it was judged: what speaks for likes of the pose was not counted.
    reached = np.array([max(evidence_of(each), least) for each in passed])
    limit = _rarely_reached(least, reached, len(reached) / len(results))
    return min(limit / needed, UNCALIBRATED.verified_share)


def _rarely_reached(start: float, beyond: Array, share: float) -> float:
    """What one in 1 / FALSE_ALARMS reaches, by an exponential tail: a share is `beyond` the start."""
    if len(beyond) == 0 or share <= FALSE_ALARMS:
        return start
    return float(start + (beyond.mean() - start) * np.log(share / FALSE_ALARMS))


def views_without(references: References | None, photos: Sequence[Photo]) -> References | None:
    """The reference views that are none of the photographs: a picture is not to be compared with itself."""
    if references is None:
        return None
    own = np.array([photo.camera_from_map.center for photo in photos])
    centers = np.array([pose.center for pose in references.camera_from_map])
    distances = np.linalg.norm(centers[:, None] - own, axis=2).min(axis=1)
    kept = distances > 1e-6 * np.linalg.norm(centers - centers.mean(0), axis=1).max()
    if not kept.any():
        return None
    new_view = np.cumsum(kept) - 1
    rows, likes = kept[references.seen_view], kept[references.like_view]
    return dataclasses.replace(
        references,
        files=tuple(compress(references.files, kept)),
        cameras=tuple(compress(references.cameras, kept)),
        camera_from_map=tuple(compress(references.camera_from_map, kept)),
        seen_view=new_view[references.seen_view[rows]].astype(np.int32),
        seen_point=references.seen_point[rows],
        seen_px=references.seen_px[rows],
        like_view=new_view[references.like_view[likes]].astype(np.int32),
        like_camera_from_map=tuple(compress(references.like_camera_from_map, likes)),
    )


class _RememberingBackend:
    """Runs the network once for each picture, however often that is localized."""

    def __init__(self, backend: Backend) -> None:
        self.name, self.any_size, self.attempts = backend.name, backend.any_size, backend.attempts
        self._backend = backend
        self._known: dict[tuple[int, int], NDArray[np.float32]] = {}

    def infer(self, image: NDArray[np.uint8], attempt: int = 0) -> NDArray[np.float32]:
        key = zlib.crc32(np.ascontiguousarray(image).data), attempt
        if key not in self._known:
            self._known[key] = self._backend.infer(image, attempt)
        return self._known[key]
