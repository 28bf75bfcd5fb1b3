"""Between ROS messages and the types of the core: here is where foreign input is checked."""

from __future__ import annotations

import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Transform, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, Array
from reloc_ros.io.camera_info import camera_from_message

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
    resized = camera.for_image(width, height)
    if resized is None:
        raise RelocError(
            f"the intrinsics are for {camera.width}x{camera.height}, but the image is {width}x{height}, "
            "which has another shape; give the intrinsics of this stream"
        )
    return resized


def bytes_from(values: NDArray) -> array.array:
    """The data of a message: anything but an array.array is checked byte by byte on its way into one."""
    return array.array("B", values.tobytes())


def image_from_pixels(pixels: NDArray[np.uint8], header: Header) -> Image:
    """A picture (H, W, 3) BGR or (H, W) grey as a message."""
    height, width = pixels.shape[:2]
    encoding, step = "bgr8" if pixels.ndim == 3 else "mono8", pixels[0].nbytes
    message = Image(header=header, height=height, width=width, encoding=encoding, step=step)
    message.data = bytes_from(pixels)
    return message


def pose_from_se3(map_from_camera: SE3) -> Pose:
    x, y, z = map(float, map_from_camera.translation)
    return Pose(position=Point(x=x, y=y, z=z), orientation=_quaternion_from(map_from_camera))


def pose_with_covariance_from(map_from_frame: SE3, covariance: Array) -> PoseWithCovariance:
    """Args: covariance: (6, 6), in the message's own order."""
    return PoseWithCovariance(pose=pose_from_se3(map_from_frame), covariance=covariance.ravel().astype(float))


def transform_from_se3(parent_from_child: SE3) -> Transform:
    translation, rotation = vector_from(parent_from_child.translation), _quaternion_from(parent_from_child)
    return Transform(translation=translation, rotation=rotation)


def vector_from(values: Array) -> Vector3:
    x, y, z = map(float, values)
    return Vector3(x=x, y=y, z=z)


def se3_from_transform(transform: Transform) -> SE3:
    return _se3_from(transform.rotation, transform.translation)


def se3_from_pose(pose: Pose) -> SE3:
    return _se3_from(pose.orientation, pose.position)


def _se3_from(q: Quaternion, t: Point | Vector3) -> SE3:
    """Raises RelocError for numbers that are no pose."""
    try:
        return SE3.from_quaternion_wxyz([q.w, q.x, q.y, q.z], [t.x, t.y, t.z])
    except ValueError as error:
        raise RelocError(str(error)) from error


def _quaternion_from(transform: SE3) -> Quaternion:
    w, x, y, z = map(float, transform.quaternion_wxyz)
    return Quaternion(w=w, x=x, y=y, z=z)


def seconds_from_stamp(stamp: Time) -> float:
    return stamp.sec + stamp.nanosec * 1e-9
