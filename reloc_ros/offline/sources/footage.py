"""What moves: the frames of a video, or of a bag's image topic, one after the other."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a film."""

    number: int
    """Its place, from zero."""
    image: Image
    """(H, W, 3) BGR, as the sensor saw it."""
    stamp_ns: int | None = None
    """When it was taken, since the epoch, where that is known."""


class Footage(Protocol):
    """A video or a topic of a bag."""

    path: Path
    name: str
    """For messages to people."""
    announced: int
    """How many frames it says it has; zero when it does not."""
    rate_hz: float | None
    """Frames a second, where all are equally far apart."""
    key: dict[str, object]
    """What tells it from others, for `fingerprint`."""

    def frames(self, wanted: Collection[int] | None = None) -> Iterator[Frame]:
        """All frames that can be read, or only those of some numbers."""
        ...


class Video:
    """A video file, in any format that ffmpeg reads."""

    def __init__(self, path: Path) -> None:
        """Look into it.

        Raises:
            RelocError: it is no video.
        """
        self.path, self.name = path, f"video '{path}'"
        self.key: dict[str, object] = {"video": path}
        if not path.is_file():
            raise RelocError(f"there is no video '{path}'")
        capture = self._open()
        rate_hz = float(capture.get(cv2.CAP_PROP_FPS))
        self.rate_hz: float | None = rate_hz if np.isfinite(rate_hz) and rate_hz > 0 else None
        self.announced = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        capture.release()

    def frames(self, wanted: Collection[int] | None = None) -> Iterator[Frame]:
        capture = self._open()
        last = None if wanted is None else max(wanted, default=-1)
        number = 0
        try:
            while (last is None or number <= last) and capture.grab():
                if wanted is None or number in wanted:
                    decoded, image = capture.retrieve()
                    if not decoded:
                        return
                    yield Frame(number, image)
                number += 1
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said in a sentence of ours
        capture = cv2.VideoCapture(str(self.path))
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # as with photographs: what the sensor saw
        if not capture.isOpened():
            raise RelocError(
                f"cannot read '{self.path}' as a video; if the recording was cut off, its index is missing, and "
                "it must be repaired or filmed again"
            )
        return capture


class BagTopic:
    """The images of one topic of a bag; messages without a readable picture are passed over."""

    rate_hz: float | None = None  # each image has a time of its own

    def __init__(self, path: Path, topic: str | None = None) -> None:
        """Look into it.

        Raises:
            RelocError: it cannot be read, or it is not clear which topic is meant.
        """
        from reloc_ros.offline.sources.bag_images import choose_topic, image_topics

        self.path, self.topic = path, choose_topic(path, topic)
        self.name = f"topic {self.topic} of bag '{path}'"
        self.key: dict[str, object] = {"bag": path, "topic": self.topic}
        self.announced = image_topics(path)[self.topic]

    def frames(self, wanted: Collection[int] | None = None) -> Iterator[Frame]:
        from reloc_ros.offline.sources.bag_images import bag_images

        last = None if wanted is None else max(wanted, default=-1)
        for number, entry in enumerate(bag_images(self.path, self.topic)):
            if last is not None and number > last:
                return
            if entry.image is not None and (wanted is None or number in wanted):
                yield Frame(number, entry.image, entry.stamp_ns)
