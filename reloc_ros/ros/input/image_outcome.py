"""From an image as it came to what it shows, before the status machine has judged that."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from reloc_ros.errors import RelocError, first_line
from reloc_ros.geometry import SE3
from reloc_ros.localizer import Localized, Lost
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.input.camera_input import CameraInput, ImageMessage
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.stream.status import StampedPose


@dataclasses.dataclass(frozen=True, eq=False)
class ImageOutcome:
    """What one image came to."""

    header: Header
    """Of the image."""
    image: NDArray[np.uint8] | None
    """(H, W, 3) BGR or (H, W) grey; None when it could not be read."""
    result: Localized | Lost | None
    """None: the image never got to the localizer."""
    reason: str
    """Why there is no pose, as a word; empty when there is one."""
    detail: str
    """The same as a sentence."""
    latency_s: float
    """From the start of work on the image to its result."""


def failed_image(header: Header, error: Exception) -> ImageOutcome:
    """Of an image on which the work raised something."""
    detail = f"work on the image failed: {type(error).__name__}: {first_line(error)}"
    return ImageOutcome(header, None, None, "image_failed", detail, math.nan)


def localize_message(
    message: ImageMessage,
    loaded: LoadedMap,
    camera_input: CameraInput,
    last: StampedPose | None,
    expected: Callable[[], SE3 | None],
) -> ImageOutcome:
    """From an image as it came to what it shows.

    Args:
        last: the last pose that counted; None while lost, or where nothing is to be expected.
        expected: asked once the image is known to be one, for camera_from_map where odometry puts the camera; None
            where that is not known.
    """
    started_s = time.perf_counter()  # work takes real time, whatever clock the node goes by
    image = None

    def outcome(result: Localized | Lost | None, reason: str, detail: str) -> ImageOutcome:
        latency_s = time.perf_counter() - started_s
        return ImageOutcome(message.header, image, result, reason, detail, latency_s)

    try:
        image = camera_input.pixels_of(message)
    except RelocError as error:
        return outcome(None, "bad_image", str(error))
    except Exception as error:  # a foreign message can break what reads it in any way
        return outcome(None, "bad_image", f"the image cannot be read: {first_line(error)}")
    try:
        camera = camera_input.camera_for(image, message.header.stamp, loaded.fixed_camera)
    except RelocError as error:
        return outcome(None, "bad_camera_info", str(error))
    except Exception as error:
        return outcome(None, "bad_camera_info", f"the camera_info cannot be used: {first_line(error)}")
    if camera is None:
        return outcome(
            None, "waiting_for_camera_info", f"nothing has arrived on {camera_input.info_topic} yet"
        )
    stamp_s = seconds_from_stamp(message.header.stamp)
    result = loaded.tracker.localize(image, camera, stamp_s, last, expected())
    if isinstance(result, Lost):
        return outcome(result, result.reason.value, result.detail)
    return outcome(result, "", "")
