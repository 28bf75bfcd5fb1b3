"""The images of a bag as a source for `reloc run`."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag
from reloc_ros.offline.sources.bag_images import bag_camera, bag_images, choose_topic, image_topics
from reloc_ros.offline.sources.frames import frame_name
from reloc_ros.offline.sources.sources import Frame

_logger = logging.getLogger(__name__)
_JUDGED = 50
"""Images at the start that the rate is judged by."""


class BagSource:
    """One topic's images, named by their place in it."""

    turn: int | None = None

    def __init__(self, path: Path, topic: str | None = None, needs_camera: bool = True) -> None:
        """Open it.

        Raises:
            RelocError: it has no image topic, several without one being chosen, or none with the intrinsics though
                these are needed.
        """
        self.path = path
        self.topic = choose_topic(path, topic)
        self.names: tuple[str, ...] | None = tuple(map(frame_name, range(image_topics(path)[self.topic])))
        self._camera = bag_camera(path, self.topic) if needs_camera else None
        if needs_camera and self._camera is None:
            raise RelocError(
                f"bag {path} has no camera_info for {self.topic}; give the intrinsics with --camera"
            )
        self.rate_hz: float | None = _rate_hz(path, self.topic)

    def frames(self) -> Iterator[Frame]:
        images, index = bag_images(self.path, self.topic), 0
        while True:
            try:
                message = next(images, None)
            except RelocError as error:
                if index == 0:
                    raise
                _logger.warning("what was read before is used: %s", error)
                return
            if message is None:
                return
            yield Frame(
                frame_name(index),
                message.image,
                message.problem,
                message.stamp_ns,
                message.recorded_ns,
                self._camera,
                message.frame_id,
            )
            index += 1


def _rate_hz(path: Path, topic: str) -> float:
    with Bag(path) as bag:
        recorded_ns = [raw.stamp_ns for raw in itertools.islice(bag.messages([topic]), _JUDGED)]
    # The median forgives pauses and lost images; one image alone has no rate.
    period_ns = float(np.median(np.diff(recorded_ns))) if len(recorded_ns) > 1 else 0.0
    return 1e9 / period_ns if period_ns > 0 else 10.0
