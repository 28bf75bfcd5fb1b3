"""Localize the images of a folder, a video or a bag with a bundle, one at a time, and hand the results on."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from reloc_ros.bundle import Bundle
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.localizer import NO_KEYPOINTS, Localized, Localizer, Lost, LostReason
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.running.detections import Detections
from reloc_ros.offline.running.pose_file_writers import Sink
from reloc_ros.offline.sources.frame import Frame, Source
from reloc_ros.scene_size import extent
from reloc_ros.stream.status import StatusConfig, StatusMachine
from reloc_ros.stream.tracker import Tracker

_logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Tally:
    """What became of the images so far."""

    images: int = 0
    reasons: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """Lost images by their reason."""
    by_features: int = 0
    """Localized ones that the map's local features found."""
    examples: dict[str, str] = dataclasses.field(default_factory=dict)
    """Of each reason, the first image and what was wrong with it."""

    def add(self, name: str, result: Localized | Lost) -> None:
        """Count an image."""
        self.images += 1
        if isinstance(result, Lost):
            reason = result.reason.value
            self.reasons[reason] += 1
            self.examples.setdefault(reason, f"{name}: {result.detail}")
        else:
            self.by_features += result.found_by == "features"

    @property
    def localized(self) -> int:
        return self.images - self.reasons.total()


def localize_source(
    localizer: Localizer,
    source: Source,
    sinks: Sequence[contextlib.AbstractContextManager[Sink]],
    camera: Camera | str | None = None,
    detections: Detections | None = None,
    tracking: bool = False,
    progress: Progress = silent,
    tally: Tally | None = None,
) -> Tally:
    """Localize every image; one that cannot be read is lost with that reason.

    Args:
        sinks: get every result. What they write appears when all images are done, and not at all when the run
            is stopped or fails before.
        camera: intrinsics of all images, or the name of one of the bundle's cameras; else those that the source knows,
            or the map's own.
        detections: to localize by instead of by the network's keypoints.
        tracking: whether images with stamps are followed from one to the next where that leaves no doubt.
        tally: counts along, for who wants to know how far a stopped run has come.
    """
    tally = tally or Tally()
    localize = _followed(localizer) if tracking else functools.partial(_localize, localizer, detections)
    try:
        with contextlib.ExitStack() as stack:
            writers = [stack.enter_context(sink) for sink in sinks]
            for frame in _until_damage(source):
                frame = _with_camera(frame, camera, localizer.bundle)
                result = localize(frame)
                for write in writers:
                    write(frame, result)
                tally.add(frame.name, result)
                progress("localize", tally.images, max(len(source.names or ()), tally.images))
            if not tally.images:
                raise RelocError(f"'{source.path}' has no image that can be read")
    except OSError as error:
        raise RelocError(
            f"cannot write {error.filename or 'the results'}: {error.strerror or error}"
        ) from error
    return tally


def _until_damage(source: Source) -> Iterator[Frame]:
    """Its frames; damage after the first of them is warned of, damage before it raises."""
    first = True
    try:
        for frame in source.frames():
            yield frame
            first = False
    except RelocError as error:
        if first:
            raise
        _logger.warning("what was read before is used: %s", error)


def _with_camera(frame: Frame, camera: Camera | str | None, bundle: Bundle) -> Frame:
    """The frame with the camera that its image is localized with.

    Raises:
        RelocError: it is not clear which of the bundle's cameras that is.
    """
    used = camera or frame.camera
    if not isinstance(used, Camera) and frame.image is not None:
        height, width = frame.image.shape[:2]
        used = bundle.camera_for(width, height, used or "")
    return dataclasses.replace(frame, camera=used)


def _followed(localizer: Localizer) -> Callable[[Frame], Localized | Lost]:
    """What localizes frames in order, with what it knows from those before, as the node does."""
    size = extent(localizer.bundle.landmarks.positions_map)
    speed = StatusConfig.max_speed * (1.0 if localizer.bundle.scale == "metric" else size)
    machine = StatusMachine(StatusConfig(max_speed=speed, position_slack=0.1 * size))
    tracker = Tracker(localizer)

    def localize(frame: Frame) -> Localized | Lost:
        if frame.stamp_ns is None:
            raise RelocError(f"{frame.name} has no time, so it cannot be tracked; leave --tracking out")
        if frame.image is None or frame.camera is None:
            result = _localize(localizer, None, frame)
        else:
            result = tracker.localize(frame.image, frame.camera, 1e-9 * frame.stamp_ns, machine.last_good)
            tracker.confirm()
        if isinstance(result, Lost):
            machine.lost(result.reason.value, result.detail)
        else:
            machine.localized(result.camera_from_map, 1e-9 * frame.stamp_ns)
        return result

    return localize


def _localize(localizer: Localizer, detections: Detections | None, frame: Frame) -> Localized | Lost:
    if frame.image is None:
        return _without_keypoints(LostReason.BAD_IMAGE, frame.problem)
    if detections is None:
        return localizer.localize(frame.image, frame.camera)
    keypoints = detections.keypoints(frame.name)
    if keypoints is None:
        return _without_keypoints(
            LostReason.NO_KEYPOINTS, f"'{detections.path}' has no detections in this image"
        )
    return localizer.localize_keypoints(frame.image, keypoints, frame.camera)


def _without_keypoints(reason: LostReason, detail: str) -> Lost:
    return Lost(reason, detail, NO_KEYPOINTS, np.zeros(0, dtype=bool), {})
