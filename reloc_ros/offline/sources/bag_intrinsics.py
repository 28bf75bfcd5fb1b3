"""Where the images of a bag get their intrinsics: from the camera_info that was recorded beside them."""

from __future__ import annotations

from pathlib import Path

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag
from reloc_ros.io.image_messages import camera_from_message

_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


def base_topic(topic: str) -> str:
    """An image topic without its transport, as image_transport names them."""
    return topic.removesuffix("/compressed")


def bag_intrinsics(path: Path, topic: str, remedy: str) -> Camera:
    """The intrinsics that a bag recorded for an image topic: `camera_info` beside it, or else the only one there is.

    Images of a topic named `image_rect...` are taken for rectified ones, as image_proc names them.

    Args:
        remedy: what a person may do who has no intrinsics.

    Raises:
        RelocError: the bag has none, or the camera is not calibrated, or is no camera.
    """
    folder, _, name = base_topic(topic).rpartition("/")
    with Bag(path) as bag:
        infos = [info for info, entry in bag.topics().items() if entry.message_type == _CAMERA_INFO]
        beside = f"{folder}/camera_info"
        chosen = [beside] if beside in infos else infos if len(infos) == 1 else []
        for raw in bag.messages(chosen):
            try:
                return camera_from_message(raw.decoded(), rectified="rect" in name)
            except RelocError as error:
                raise RelocError(f"bag {path}, topic {chosen[0]}: {error}") from error
    raise RelocError(f"bag '{path}' has no camera_info for {topic}; {remedy}")
