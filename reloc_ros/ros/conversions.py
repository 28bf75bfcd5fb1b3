"""Between ROS messages and the types of the core: here is where foreign input is checked."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.image_messages import camera_from_message

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
