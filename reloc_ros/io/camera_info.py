"""The intrinsics in ROS's camera_info, whoever deserialized it: rclpy, rosbags without ROS, or a yaml file.

One rule says which of them an image goes by: those of a topic whose name says `rect` are rectified, as image_proc and
drivers name them, and go by P without distortion; all others go by K and D. Where a camera_info contradicts that or
itself, `log_camera_info` warns.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, Array, rotation_error_deg

_logger = logging.getLogger(__name__)

_SAME_PX = 0.5
"""K and P, and lenses, that differ by less put the same picture at the same place."""
_SAME_DEG = 0.01
_MIDDLE = 0.2
"""Share of a picture's side; principal points are nearer to its middle, unless it was cut."""
_CORNER = 0.4
"""Not even those of pictures that were cut are farther off it along both sides."""


class RegionOfInterest(Protocol):
    """sensor_msgs/msg/RegionOfInterest."""

    x_offset: int
    y_offset: int
    height: int
    width: int


class CameraInfo(Protocol):
    """sensor_msgs/msg/CameraInfo."""

    height: int
    width: int
    distortion_model: str
    d: Any
    k: Any
    r: Any
    p: Any
    binning_x: int
    binning_y: int
    roi: RegionOfInterest


def is_named_rectified(topic: str) -> bool:
    """Whether the name of an image topic says that its images are rectified, such as `image_rect_color`."""
    return not {"rect", "rectified"}.isdisjoint(re.split("[/_]", topic.lower()))


def camera_from_message(message: CameraInfo, *, rectified: bool = False) -> Camera:
    """The camera of the images that this camera_info goes with, its region of interest and binning applied.

    Args:
        rectified: the images are rectified, so P holds and there is no distortion.

    Raises:
        RelocError: an uncalibrated (all zero), non-finite or unknown camera, one with the principal point of another
            picture, or a window off the sensor.
    """
    width, height = message.width, message.height
    camera = _rectified_camera(message) if rectified else _raw_camera(message)
    _check_principal_point(camera, message)
    roi = message.roi
    if roi.width or roi.height:  # all zeros means the whole sensor
        if roi.x_offset + roi.width > width or roi.y_offset + roi.height > height:
            raise RelocError(
                f"camera_info region {roi.width}x{roi.height} at ({roi.x_offset}, {roi.y_offset}) "
                f"does not fit the {width}x{height} sensor"
            )
        camera = camera.cropped(roi.x_offset, roi.y_offset, roi.width, roi.height)
    # Zero and one both mean no binning.
    binning_x, binning_y = max(message.binning_x, 1), max(message.binning_y, 1)
    if (binning_x, binning_y) != (1, 1):
        camera = camera.resized(camera.width // binning_x, camera.height // binning_y)
    return camera


def log_camera_info(message: CameraInfo, images: str, *, rectified: bool) -> None:
    """Say by which of its intrinsics the images go, and warn of what contradicts that.

    Call it once for each camera_info that differs from the one before.

    Args:
        message: one that `camera_from_message` takes.
        images: what to call them, such as their topic.
    """
    rule = "not rectified, by K and D of camera_info"
    if rectified:
        is_told = _projection(message).any()
        rule = f"rectified, by {'P' if is_told else 'K'} of camera_info"
        rule += "" if is_told else ", as its P is all zeros and D and R say that there is nothing to rectify"
    _logger.info("%s: taken for %s", images, rule)
    for doubt in _doubts(message, rectified):
        _logger.warning("%s: taken for %s, but %s", images, rule, doubt)


def log_given_camera(camera: Camera, topic: str) -> None:
    """Warn where intrinsics given for a topic's images have distortion, while its name says that they are rectified."""
    if is_named_rectified(topic) and camera.model != "pinhole":
        _logger.warning(
            "images of %s: called rectified, but the intrinsics given for them have distortion; if lines that are "
            "straight are so in these images, give P (image_rectified of the node, --rectified)",
            topic,
        )


def _check_principal_point(camera: Camera, message: CameraInfo) -> None:
    """Refuse intrinsics that are of another picture than the sensor's: some drivers scale only one of the two."""
    point, size = np.array([camera.cx, camera.cy]), np.array([camera.width, camera.height])
    shown = f"the principal point of camera_info, ({camera.cx:.0f}, {camera.cy:.0f}),"
    off = np.abs((point + 0.5) / size - 0.5)
    binned = size / np.maximum([message.binning_x, message.binning_y], 1)
    if (
        (binned < size).any()
        and (np.abs(2 * (point + 0.5) / binned - 1) < _MIDDLE).all()
        and (off > _MIDDLE).any()
    ):
        raise RelocError(
            f"{shown} is the middle of the {binned[0]:.0f}x{binned[1]:.0f} pixels after binning, not of the "
            f"{size[0]}x{size[1]} before: K and size are to be those of the whole sensor, or binning 0"
        )
    if (off > 0.5).any() or (off > _CORNER).all():
        raise RelocError(
            f"{shown} is not in the {size[0]}x{size[1]} picture or at its very corner: the intrinsics are of another "
            "size; calibrate for this one, or have the driver scale them"
        )


def _raw_camera(message: CameraInfo) -> Camera:
    return Camera.from_ros(message.distortion_model, message.width, message.height, message.k, message.d)


def _rectified_camera(message: CameraInfo) -> Camera:
    p = _projection(message)
    if not p.any():
        if any(message.d) or _turn_deg(message) > _SAME_DEG:
            raise RelocError(
                "camera_info P is all zeros, so nothing tells the intrinsics of rectified images; calibrate the "
                "camera, or take the images for what they are before they are rectified"
            )
        return _raw_camera(message)  # nothing to rectify
    return Camera.from_ros("plumb_bob", message.width, message.height, p[:, :3].ravel().tolist(), [])


def _projection(message: CameraInfo) -> Array:
    p = np.asarray(message.p, dtype=np.float64)
    if p.size != 12:
        raise RelocError(f"camera_info P has 12 numbers, got {p.size}")
    return p.reshape(3, 4)


def _turn_deg(message: CameraInfo) -> float:
    """By how much R turns the rectified camera; where it is no rotation, it does not."""
    r = np.asarray(message.r, dtype=np.float64)
    if r.size != 9 or not r.any() or not (np.abs(r) <= 1 + 1e-6).all():
        return 0.0  # not filled in, or no rotation at all
    return rotation_error_deg(SE3(r.reshape(3, 3), np.zeros(3)), SE3.identity())


def _doubts(message: CameraInfo, rectified: bool) -> Iterator[str]:
    """What a person should know of a camera_info: where D, R and P contradict each other, and what is not used."""
    if not rectified and any(message.d) and not message.distortion_model:
        yield f"it names no distortion model: the {len(message.d)} numbers in D are taken for plumb_bob's"
    used = _rectified_camera(message) if rectified else _raw_camera(message)
    if (
        abs((used.cx + 0.5) / used.width - 0.5) > _MIDDLE
        or abs((used.cy + 0.5) / used.height - 0.5) > _MIDDLE
    ):
        yield (
            f"the principal point ({used.cx:.0f}, {used.cy:.0f}) is far from the middle of the "
            f"{used.width}x{used.height} picture: right for one that was cut, else they are of another size"
        )
    turn_deg = _turn_deg(message)
    if turn_deg <= _SAME_DEG:
        yield from _contradictions(message, rectified)
    elif rectified:
        yield (
            f"R turns the rectified camera by {turn_deg:.2f} degrees against the one that took the images: the poses "
            "are the rectified one's, so its frame must be turned so, too"
        )
    p = _projection(message)
    if rectified and p[:2, 3].any():
        beside = float(np.hypot(p[0, 3] / p[0, 0], p[1, 3] / p[1, 1]))
        yield (
            f"P is of the second camera of a pair, {beside:.3f} m beside the first (Tx {p[0, 3]:g}, Ty {p[1, 3]:g}): "
            "the poses are the second one's, so the frame of its images must be its own"
        )


def _contradictions(message: CameraInfo, rectified: bool) -> Iterator[str]:
    """Where K, D and P do not go together, although R turns nothing."""
    if not _projection(message).any():
        return
    try:
        raw, flat = _raw_camera(message), _rectified_camera(message)
    except RelocError:
        return  # the one of them that is not used may be anything
    plain = dataclasses.replace(raw, model="pinhole", coefficients=())
    apart_px, bent_px = flat.shift_px(plain), flat.shift_px(raw)
    if not any(message.d) and apart_px > _SAME_PX:
        yield (
            f"D and R say that there is nothing to rectify, while P differs from K by up to {apart_px:.1f} px: one of "
            "them is wrong"
        )
    if rectified and apart_px <= _SAME_PX < bent_px:
        yield (
            f"P is K, as if nothing were rectified, while D moves pixels by up to {bent_px:.1f}: if straight lines are "
            "bent in these images, say that they are not rectified (image_rectified of the node, --unrectified)"
        )
