"""Between ROS messages and the types of the core: here is where foreign input is checked."""

from __future__ import annotations

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, Camera

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


def image_from_message(message: Image) -> NDArray[np.uint8]:
    """Decode to BGR (H, W, 3) or grey (H, W), uint8; the array may share the message's memory.

    Raises:
        RelocError: an encoding that is no picture, a size of zero, or data that does not fit the size.
    """
    encoding, width, height = message.encoding, message.width, message.height
    if encoding not in _ENCODINGS:
        raise RelocError(f"image encoding {encoding!r} is not supported; use one of {', '.join(_ENCODINGS)}")
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
    if len(message.data) < message.step * rows:
        raise RelocError(
            f"image data is truncated: {len(message.data)} bytes instead of {message.step * rows} "
            f"({rows} rows of {message.step})"
        )
    pixels = _eight_bit_from(_view_of(message, rows, pixel_bytes))
    return pixels if code is None else cv2.cvtColor(pixels, code)


def _view_of(message: Image, rows: int, pixel_bytes: int) -> NDArray:
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


def image_from_compressed(message: CompressedImage) -> NDArray[np.uint8]:
    """Decode JPEG, PNG or what else OpenCV reads to BGR (H, W, 3) or grey (H, W), uint8.

    Raises:
        RelocError: data that is no whole picture.
    """
    if "compressedDepth" in message.format:
        raise RelocError(
            "the compressed image holds depth, not a picture; remap image to a colour or grey topic"
        )
    data = np.frombuffer(message.data, np.uint8)
    # A cut JPEG decodes to a half grey picture, so look for its end; some cameras pad with zeros.
    if data[:2].tobytes() == b"\xff\xd8" and not data[-4096:].tobytes().rstrip(b"\0").endswith(b"\xff\xd9"):
        raise RelocError(f"the compressed image is truncated: its {len(data)} bytes lack the JPEG end marker")
    # The calibration belongs to the pixels as stored: an orientation tag must not turn them.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(data, flags) if len(data) else None
    if pixels is None:
        raise RelocError(
            f"the compressed image of {len(data)} bytes is not readable as {message.format or 'a picture'}"
        )
    return _eight_bit_from(pixels)


def _eight_bit_from(pixels: NDArray) -> NDArray[np.uint8]:
    """Scale 16 bit values to 8 bit, by the smallest usual sensor depth that holds them.

    Drivers put 10, 12 and 14 bit values into 16 bits both left- and right-aligned and the message does not
    say which; taking right-aligned ones at face value would leave a nearly black picture.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind != "u" or pixels.dtype.itemsize != 2:
        raise RelocError(f"image values are {pixels.dtype}; a picture has 8 or 16 bit unsigned ones")
    brightest = int(pixels.max())
    bits = next(bits for bits in (8, 10, 12, 14, 16) if brightest < 1 << bits)
    return (pixels >> np.uint16(bits - 8)).astype(np.uint8)


def camera_from_message(message: CameraInfo, *, rectified: bool = False) -> Camera:
    """The camera of the images that this camera_info goes with, its region of interest and binning applied.

    Args:
        rectified: the images are rectified, so P holds and there is no distortion.

    Raises:
        RelocError: an uncalibrated (all zero), non-finite or unknown camera, or a window off the sensor.
    """
    width, height = message.width, message.height
    if rectified:
        projection = list(message.p)
        k = [value for row in range(3) for value in projection[4 * row : 4 * row + 3]]
        camera = Camera.from_ros("plumb_bob", width, height, k, [])
    else:
        camera = Camera.from_ros(message.distortion_model, width, height, message.k, message.d)
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


_DISTORTION_MODELS = {"pinhole": "plumb_bob", "brown": "rational_polynomial", "fisheye": "equidistant"}


def camera_info_from(camera: Camera, header: Header) -> CameraInfo:
    """The intrinsics of a camera as a message, unrectified."""
    message = CameraInfo(header=header, width=camera.width, height=camera.height)
    message.distortion_model = _DISTORTION_MODELS[camera.model]
    message.d = [float(number) for number in camera.coefficients] or [0.0] * 5
    message.k = camera.matrix.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.hstack([camera.matrix, np.zeros((3, 1))]).ravel()
    return message


def message_camera_for(message: CameraInfo, image: NDArray[np.uint8], *, rectified: bool = False) -> Camera:
    """As `camera_from_message`, and refuse one that belongs to another image size than the image's."""
    camera = camera_from_message(message, rectified=rectified)
    height, width = image.shape[:2]
    if (camera.width, camera.height) != (width, height):
        raise RelocError(
            f"camera_info is for {camera.width}x{camera.height} images, but the image is {width}x{height}; "
            "both must come from the same stream"
        )
    return camera


def fixed_camera_for(camera: Camera, image: NDArray[np.uint8]) -> Camera:
    """A camera that was given once, for images of whatever resolution the driver sends."""
    height, width = image.shape[:2]
    if (camera.width, camera.height) == (width, height):
        return camera
    # A row or column may have been rounded away; more than that was cropped, and nobody knows where.
    if abs(width * camera.height - height * camera.width) > max(camera.width, camera.height):
        raise RelocError(
            f"the intrinsics are for {camera.width}x{camera.height}, but the image is {width}x{height}, "
            "which has another shape; give the intrinsics of this stream"
        )
    return camera.resized(width, height)


def pose_from_se3(map_from_camera: SE3) -> Pose:
    x, y, z = map(float, map_from_camera.translation)
    return Pose(position=Point(x=x, y=y, z=z), orientation=_quaternion_from(map_from_camera))


def transform_from_se3(parent_from_child: SE3) -> Transform:
    x, y, z = map(float, parent_from_child.translation)
    return Transform(translation=Vector3(x=x, y=y, z=z), rotation=_quaternion_from(parent_from_child))


def se3_from_transform(transform: Transform) -> SE3:
    q, t = transform.rotation, transform.translation
    return SE3.from_quaternion_wxyz([q.w, q.x, q.y, q.z], [t.x, t.y, t.z])


def se3_from_pose(pose: Pose) -> SE3:
    q, p = pose.orientation, pose.position
    return SE3.from_quaternion_wxyz([q.w, q.x, q.y, q.z], [p.x, p.y, p.z])


def _quaternion_from(transform: SE3) -> Quaternion:
    w, x, y, z = map(float, transform.quaternion_wxyz)
    return Quaternion(w=w, x=x, y=y, z=z)


def seconds_from_stamp(stamp: Time) -> float:
    return stamp.sec + stamp.nanosec * 1e-9
