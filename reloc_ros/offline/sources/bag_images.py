"""The images and intrinsics of one topic of a recorded bag; no ROS needed, rosbags does the reading."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag, RawMessage
from reloc_ros.io.image_messages import camera_from_message, image_from_compressed, image_from_message

BAG_SUFFIXES = (".mcap", ".db3")
_RAW, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True, eq=False)
class BagImage:
    """One image message."""

    stamp_ns: int
    """When it was taken, by its header; when it was recorded, where the driver left the header's time at zero."""
    recorded_ns: int
    frame_id: str
    """The camera's frame."""
    image: NDArray[np.uint8] | None
    """(H, W, 3) BGR; None when the message holds no readable picture."""
    problem: str = ""
    """Why it cannot be read."""


def is_bag(path: str | Path) -> bool:
    """Whether a path is a bag: a folder with metadata.yaml, or a single .mcap or .db3 file."""
    path = Path(path)
    return path.suffix.lower() in BAG_SUFFIXES or (path / "metadata.yaml").is_file()


def image_topics(path: str | Path) -> dict[str, int]:
    """The topics of raw and compressed images of a bag, in name order, with the number of their messages.

    Depth that was compressed (`.../compressedDepth`) is no picture and left out.
    """
    with Bag(Path(path)) as bag:
        return _image_topics(bag)


def choose_topic(path: str | Path, topic: str | None = None) -> str:
    """The topic to read: the given one, or the only one with images, in one transport or several.

    Raises:
        RelocError: the bag lacks it, it holds no images, or there are several cameras to choose from.
    """
    path = Path(path)
    with Bag(path) as bag:
        found, all_topics = _image_topics(bag), bag.topics()
    if topic is not None:
        if topic in found:
            return topic
        listed = f"its image topics are {', '.join(found)}" if found else "it has no image topic"
        kind = f"holds {all_topics[topic].message_type}" if topic in all_topics else "is not in it"
        raise RelocError(f"bag {path}: topic {topic} {kind}; {listed}")
    if not found:
        listed = ", ".join(all_topics) or "none"
        raise RelocError(f"bag {path} has no topic of images with messages in it; its topics are {listed}")
    cameras = {_base(name) for name in found}
    if len(cameras) > 1:
        raise RelocError(f"bag {path} has several image topics; choose by --topic one of {', '.join(found)}")
    return min(found, key=len)  # where both transports were recorded, the raw one has the shorter name


def bag_images(path: str | Path, topic: str) -> Iterator[BagImage]:
    """Read each image of a topic, in the order of the recording.

    A message without a readable picture is given too, with what is wrong; a bag that cannot be read further
    raises where it breaks off.
    """
    with Bag(Path(path)) as bag:
        kind = bag.topics()[topic].message_type
        for raw in bag.messages([topic]):
            yield _decode(raw, kind)


def camera_info_topic(path: str | Path, topic: str) -> str | None:
    """The topic with the intrinsics of an image topic: `camera_info` beside it, or else the only one there is."""
    with Bag(Path(path)) as bag:
        infos = [name for name, entry in bag.topics().items() if entry.message_type == _CAMERA_INFO]
    beside = f"{_base(topic).rpartition('/')[0]}/camera_info"
    if beside in infos:
        return beside
    return infos[0] if len(infos) == 1 else None


def bag_camera(path: str | Path, topic: str, info_topic: str | None = None) -> Camera | None:
    """The intrinsics that a bag recorded for an image topic; None when it has no such topic or message.

    Images of a topic named `image_rect...` are taken for rectified ones, as image_proc names them.

    Raises:
        RelocError: the camera is not calibrated, or is no camera.
    """
    info_topic = info_topic or camera_info_topic(path, topic)
    if info_topic is None:
        return None
    rectified = "rect" in _base(topic).rpartition("/")[2]
    with Bag(Path(path)) as bag:
        entry = bag.topics().get(info_topic)
        if entry is None or entry.message_type != _CAMERA_INFO:
            raise RelocError(f"bag {path} has no camera_info topic {info_topic}")
        for raw in bag.messages([info_topic]):
            try:
                return camera_from_message(_deserialize(raw, _CAMERA_INFO), rectified=rectified)
            except RelocError as error:
                raise RelocError(f"bag {path}, topic {info_topic}: {error}") from error
    return None


def _image_topics(bag: Bag) -> dict[str, int]:
    return {
        name: entry.count
        for name, entry in bag.topics().items()
        if entry.message_type in (_RAW, _COMPRESSED) and entry.count and not name.endswith("/compressedDepth")
    }


def _base(topic: str) -> str:
    """The topic without its transport, as image_transport names them."""
    return topic.removesuffix("/compressed")


def _decode(raw: RawMessage, kind: str) -> BagImage:
    try:
        message = _deserialize(raw, kind)
    except RelocError as error:
        return BagImage(raw.stamp_ns, raw.stamp_ns, "", None, str(error))
    stamp = message.header.stamp
    stamp_ns = stamp.sec * 10**9 + stamp.nanosec or raw.stamp_ns
    image, problem = None, ""
    try:
        image = image_from_message(message) if kind == _RAW else image_from_compressed(message)
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
    except RelocError as error:
        problem = str(error)
    return BagImage(stamp_ns, raw.stamp_ns, message.header.frame_id, image, problem)


def _deserialize(raw: RawMessage, kind: str) -> Any:
    try:
        return _types().deserialize_cdr(raw.data, kind)
    except Exception as error:  # damaged bytes may fail in any way
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RelocError(f"a message of topic {raw.topic} is damaged: {reason}") from error


@functools.cache
def _types() -> Any:
    """These messages have been the same in every distribution of ROS 2."""
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_JAZZY)
