"""The pixels in ROS messages, whoever deserialized them: rclpy, or rosbags without ROS.

Here is where foreign images are checked. The classes below say which fields are read.
"""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError, first_line
from reloc_ros.io.picture_head import JPEG, PNG, is_whole_jpeg, refuse_huge


class Image(Protocol):
    """sensor_msgs/msg/Image."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedImage(Protocol):
    """sensor_msgs/msg/CompressedImage."""

    format: str
    data: Any


# Encoding -> (bytes of a pixel in the message, OpenCV code to BGR; None: it is BGR or grey already).
# OpenCV names a Bayer pattern by its second row, ROS by its first: hence rggb is BayerBG.
_ENCODINGS: dict[str, tuple[int, int | None]] = {
    "mono8": (1, None),
    "8UC1": (1, None),
    "bgr8": (3, None),
    "8UC3": (3, None),
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "8UC4": (4, cv2.COLOR_BGRA2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "mono16": (2, None),
    "16UC1": (2, None),
    "bgr16": (6, None),
    "rgb16": (6, cv2.COLOR_RGB2BGR),
    "bgra16": (8, cv2.COLOR_BGRA2BGR),
    "rgba16": (8, cv2.COLOR_RGBA2BGR),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2BGR),
    "bayer_rggb16": (2, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr16": (2, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg16": (2, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg16": (2, cv2.COLOR_BayerGB2BGR),
    "yuv422": (2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2BGR_YUY2),
    "nv12": (1, cv2.COLOR_YUV2BGR_NV12),
    "nv21": (1, cv2.COLOR_YUV2BGR_NV21),
}
_YUV_422 = (cv2.COLOR_YUV2BGR_UYVY, cv2.COLOR_YUV2BGR_YUY2)
_YUV_420 = (cv2.COLOR_YUV2BGR_NV12, cv2.COLOR_YUV2BGR_NV21)
"""Half as many rows of colour follow the rows of brightness."""

_VIDEO = (b"\0\0\0\x01", b"\0\0\x01")
"""How its data begin."""
_VIDEO_FORMATS = ("264", "265", "hevc", "av1", "vp8", "vp9", "theora")


class UnsupportedImage(RelocError):
    """A kind of image that is not read: the next one of its topic will be no better."""


class BitDepth:
    """How many of their 16 bits the images of one stream use, which no message says.

    Drivers put 10, 12 and 14 bit values into 16 bits both left- and right-aligned; taking right-aligned ones at face
    value would leave a nearly black picture. So it is the smallest usual depth that has held every value so far:
    one that went by each image alone would change the brightness with the brightest pixel.
    """

    def __init__(self) -> None:
        self._bits = 8

    def eight_bit_from(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """The pixels of the stream's next image, brought to 8 bits."""
        if pixels.dtype == np.uint8:
            return pixels
        if pixels.dtype.kind != "u" or pixels.dtype.itemsize != 2:
            raise RelocError(f"image values are {pixels.dtype}; a picture has 8 or 16 bit unsigned ones")
        brightest = int(pixels.max())
        self._bits = next(
            bits for bits in (8, 10, 12, 14, 16) if bits >= self._bits and brightest < 1 << bits
        )
        return (pixels >> np.uint16(self._bits - 8)).astype(np.uint8)


def image_from_message(message: Image, depth: BitDepth | None = None) -> NDArray[np.uint8]:
    """Decode to BGR (H, W, 3) or grey (H, W), uint8; the array may share the message's memory.

    Args:
        depth: of the stream that the image is one of, if it is.

    Raises:
        RelocError: an encoding that is no picture, a size of zero, or data that does not fit the size.
    """
    encoding, width, height = message.encoding, message.width, message.height
    if encoding not in _ENCODINGS:
        raise UnsupportedImage(
            f"image encoding {encoding!r} is not supported; use one of {', '.join(_ENCODINGS)}"
        )
    if width == 0 or height == 0:
        raise RelocError(f"image is {width}x{height} pixels; it needs at least one")
    pixel_bytes, code = _ENCODINGS[encoding]
    if message.step < width * pixel_bytes:
        raise RelocError(
            f"image step is {message.step} bytes, but a row of {width} {encoding} pixels "
            f"has {width * pixel_bytes}"
        )
    if (code in _YUV_422 + _YUV_420 and width % 2) or (code in _YUV_420 and height % 2):
        raise RelocError(f"an image in {encoding} needs an even size, got {width}x{height}")
    rows = height * 3 // 2 if code in _YUV_420 else height
    needed, whole = message.step * (rows - 1) + width * pixel_bytes, message.step * rows
    if len(message.data) < needed:  # some drivers leave the padding of the last row out
        raise RelocError(
            f"image data is truncated: {len(message.data)} bytes instead of {whole} ({rows} rows of {message.step})"
        )
    if len(message.data) >= 2 * whole:
        raise RelocError(
            f"image data has {len(message.data)} bytes, several times the {whole} of {rows} rows of {message.step}: "
            f"size, step and encoding {encoding} do not go together"
        )
    pixels = (depth or BitDepth()).eight_bit_from(_view_of(message, rows, pixel_bytes))
    return pixels if code is None else np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _view_of(message: Image, rows: int, pixel_bytes: int) -> NDArray[Any]:
    """The pixels (rows, W) or (rows, W, channels), in the message's own memory."""
    # 16 bit encodings are the only ones with a byte order; drivers set the flag at will for the others.
    wide = message.encoding.endswith("16") or message.encoding == "16UC1"
    dtype = np.dtype((">" if message.is_bigendian else "<") + "u2") if wide else np.dtype(np.uint8)
    channels = pixel_bytes // dtype.itemsize
    pixels = np.ndarray(
        (rows, message.width, channels),
        dtype,
        buffer=message.data,
        strides=(message.step, pixel_bytes, dtype.itemsize),
    )
    return pixels[:, :, 0] if channels == 1 else pixels


def image_from_compressed(message: CompressedImage, depth: BitDepth | None = None) -> NDArray[np.uint8]:
    """Decode JPEG, PNG or what else OpenCV reads to BGR (H, W, 3) or grey (H, W), uint8.

    Args:
        depth: of the stream that the image is one of, if it is.

    Raises:
        RelocError: data that is no whole picture.
    """
    if "compressedDepth" in message.format:
        raise UnsupportedImage(
            "the compressed image holds depth, not a picture; remap image to a colour or grey topic"
        )
    data = np.frombuffer(message.data, np.uint8)
    contents, start = data.tobytes(), data[:4].tobytes()
    if start.startswith(JPEG) and not is_whole_jpeg(contents):
        raise RelocError(f"the compressed image is truncated: its {len(data)} bytes lack the JPEG end marker")
    refuse_huge(contents, "the compressed image")
    # The calibration belongs to the pixels as stored: an orientation tag must not turn them.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(data, flags) if len(data) else None
    except cv2.error as error:  # a header that claims more pixels than OpenCV takes, above all
        raise RelocError(
            f"the compressed image cannot be decoded: {error.err or first_line(error)}"
        ) from error
    if pixels is None:
        if start.startswith(_VIDEO) or any(name in message.format.lower() for name in _VIDEO_FORMATS):
            raise UnsupportedImage(f"the compressed image is {video_sentence(message.format)}")
        damaged = start.startswith((JPEG, PNG)) or not start.strip(b"\0")
        raise (RelocError if damaged else UnsupportedImage)(
            f"the compressed image of {len(data)} bytes is not readable as {message.format or 'a picture'}"
        )
    return (depth or BitDepth()).eight_bit_from(pixels)


def video_sentence(codec: str) -> str:
    """What is wrong with a video's frame as an image, and what to do."""
    return (
        f"a frame of a video ({codec or 'H.264 or H.265'}), which is not decoded; let image_transport do that "
        "(ros2 run image_transport republish, with the plugin that made it) and take or record its raw images"
    )
