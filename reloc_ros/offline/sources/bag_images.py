"""The images of one topic of a recorded bag, raw or compressed."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag, RawMessage
from reloc_ros.io.bag_files import uncommitted_files
from reloc_ros.io.image_messages import (
    BitDepth,
    UnsupportedImage,
    image_from_compressed,
    image_from_message,
    video_sentence,
)
from reloc_ros.offline.sources.bag_intrinsics import bag_intrinsics, base_topic
from reloc_ros.offline.sources.frame import Frame, frame_name

_DECODERS = {
    "sensor_msgs/msg/Image": image_from_message,
    "sensor_msgs/msg/CompressedImage": image_from_compressed,
}
_VIDEO_TYPES = {
    "ffmpeg_image_transport_msgs/msg/FFMPEGPacket": "ffmpeg",
    "foxglove_msgs/msg/CompressedVideo": "foxglove",
    "theora_image_transport/msg/Packet": "theora",
}
"""Types of messages with a video's frames, and image_transport's plugin that decodes them."""
_FIRST_IMAGES = 3
"""Unless one of so many is of a kind that is read, none will be."""
_logger = logging.getLogger(__name__)

_RATE_IMAGES = 50
"""The rate is told by so many images at the start."""


class BagTopic:
    """One topic's images, named by their place in it; a message without a picture is a frame with its problem."""

    rotation: int | None = None
    top: str | None = None

    def __init__(
        self,
        path: Path,
        topic: str | None = None,
        needs_camera: bool = False,
        rectified: bool | None = None,
    ) -> None:
        """Look into it.

        Args:
            rectified: whether the images are; None: as the topic's name says.

        Raises:
            RelocError: it cannot be read, it is not clear which topic is meant, its images are of a kind that is not
                read, or the intrinsics are not there though they are needed.
        """
        self.path = path
        self._depth = BitDepth()
        self.topic, count = _choose_topic(path, topic)
        self.title = f"topic {self.topic} of bag '{path}'"
        self.key: dict[str, object] = {"bag": path, "topic": self.topic}
        if path.is_file() and (beside := uncommitted_files(path)):
            self.key["beside"] = beside
        self.names: tuple[str, ...] | None = tuple(map(frame_name, range(count)))
        self._rectified = rectified
        self._refuse_unsupported()
        self._camera = self.intrinsics("give the intrinsics with --camera") if needs_camera else None

    def intrinsics(self, remedy: str) -> Camera:
        """Those that were recorded beside the images, see `bag_intrinsics`."""
        return bag_intrinsics(self.path, self.topic, remedy, self._rectified)

    @functools.cached_property
    def rate_hz(self) -> float | None:
        """By the median, which forgives pauses and lost images; one image alone has no rate."""
        recorded_ns: list[int] = []
        with contextlib.suppress(RelocError), Bag(self.path) as bag:  # `frames` tells of damage
            for raw in itertools.islice(bag.messages([self.topic]), _RATE_IMAGES):
                recorded_ns.append(raw.stamp_ns)
        period_ns = float(np.median(np.diff(recorded_ns))) if len(recorded_ns) > 1 else 0.0
        return 1e9 / period_ns if period_ns > 0 else 10.0

    @functools.cached_property
    def _recorded_after_ns(self) -> int:
        """By how much times of recording are ahead of those in headers; simulators leave some of these at zero."""
        after_ns = []
        with contextlib.suppress(RelocError), Bag(self.path) as bag:
            for raw in itertools.islice(bag.messages([self.topic]), _RATE_IMAGES):
                stamp = raw.decoded().header.stamp
                if stamp.sec or stamp.nanosec:
                    after_ns.append(raw.stamp_ns - stamp.sec * 10**9 - stamp.nanosec)
        if not after_ns:
            return 0
        _logger.warning(
            "%s: some images have no time in their header; the time at which they were recorded stands for it, less "
            "the %.3f s by which that is later for the others",
            self.title,
            1e-9 * float(np.median(after_ns)),
        )
        return int(np.median(after_ns))

    def _refuse_unsupported(self) -> None:
        problem = None
        with Bag(self.path) as bag:
            for raw in itertools.islice(bag.messages([self.topic]), _FIRST_IMAGES):
                try:
                    _DECODERS[raw.connection.msgtype](raw.decoded())
                    return
                except UnsupportedImage as error:
                    problem = error
                except RelocError:  # a damaged image, which says nothing of the others
                    return
        if problem is not None:
            raise RelocError(f"{self.title}: {problem}")

    def frames(self, wanted: Collection[int] | None = None) -> Iterator[Frame]:
        last = None if wanted is None else max(wanted, default=-1)
        with Bag(self.path) as bag:
            for number, raw in enumerate(bag.messages([self.topic])):
                if last is not None and number > last:
                    return
                if wanted is None or number in wanted:
                    yield self._frame(frame_name(number), raw)

    def _frame(self, name: str, raw: RawMessage) -> Frame:
        """Its stamp is the header's; where that is zero, when it was recorded, by the clock of the other headers."""
        stamp_ns, frame_id, image, problem = raw.stamp_ns, "", None, ""
        try:
            message = raw.decoded()
            stamp, frame_id = message.header.stamp, message.header.frame_id.lstrip("/")  # as ROS 1 wrote it
            stamp_ns = stamp.sec * 10**9 + stamp.nanosec or raw.stamp_ns - self._recorded_after_ns
            image = _DECODERS[raw.connection.msgtype](message, self._depth)
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
        except RelocError as error:
            problem = str(error)
        return Frame(name, image, problem, stamp_ns, raw.stamp_ns, self._camera, frame_id)


def _choose_topic(path: Path, topic: str | None) -> tuple[str, int]:
    """The topic to read, the given one or the only one with images in one transport or several; and their number.

    Depth that was compressed (`.../compressedDepth`) is no picture.
    """
    with Bag(path) as bag:
        recorded = bag.topics()
    found = {
        name: entry.count
        for name, entry in recorded.items()
        if entry.message_type in _DECODERS and entry.count and not name.endswith("/compressedDepth")
    }
    videos = {name: e.message_type for name, e in recorded.items() if e.message_type in _VIDEO_TYPES}
    if (topic in videos) or (topic is None and videos and not found):
        name = topic or min(videos)
        raise RelocError(
            f"bag {path}: each message of topic {name} ({videos[name]}) is "
            f"{video_sentence(_VIDEO_TYPES[videos[name]])}"
        )
    if topic is not None and topic not in found:
        listed = f"its image topics are {', '.join(found)}" if found else "it has no image topic"
        kind = f"holds {recorded[topic].message_type}" if topic in recorded else "is not in it"
        raise RelocError(f"bag {path}: topic {topic} {kind}; {listed}")
    if not found:
        listed = ", ".join(recorded) or "none"
        raise RelocError(f"bag {path} has no topic of images with messages in it; its topics are {listed}")
    if topic is None and len({base_topic(name) for name in found}) > 1:
        raise RelocError(f"bag {path} has several image topics; choose by --topic one of {', '.join(found)}")
    chosen = topic or min(
        found, key=len
    )  # where both transports were recorded, the raw one has the shorter name
    return chosen, found[chosen]
