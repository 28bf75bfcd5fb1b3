"""Where the images of a bag get their intrinsics: from the camera_info that was recorded beside them."""

from __future__ import annotations

from pathlib import Path

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag
from reloc_ros.io.camera_info import camera_from_message, is_named_rectified, log_camera_info

_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


def base_topic(topic: str) -> str:
    """An image topic without its transport, as image_transport names them."""
    return topic.removesuffix("/compressed")


def bag_intrinsics(path: Path, topic: str, remedy: str, rectified: bool | None = None) -> Camera:
    """The intrinsics that a bag recorded for an image topic: `camera_info` beside it, or else the only one there is.

    Args:
        remedy: what a person may do who has no intrinsics.
        rectified: whether the images are; None: as the topic's name says, see `reloc_ros.io.camera_info`.

    Raises:
        RelocError: the bag has none, or the camera is not calibrated, or is no camera.
    """
    rectified = is_named_rectified(topic) if rectified is None else rectified
    beside = f"{base_topic(topic).rpartition('/')[0]}/camera_info"
    with Bag(path) as bag:
        infos = [info for info, entry in bag.topics().items() if entry.message_type == _CAMERA_INFO]
        chosen = [beside] if beside in infos else infos if len(infos) == 1 else []
        for raw in bag.messages(chosen):
            try:
                message = raw.decoded()
                camera = camera_from_message(message, rectified=rectified)
                log_camera_info(message, f"images of {topic}", rectified=rectified)
                return camera
            except RelocError as error:
                raise RelocError(f"bag {path}, topic {chosen[0]}: {error}") from error
    raise RelocError(f"bag '{path}' has no camera_info for {topic}; {remedy}")
