"""What nobody can use, as robots do send it: malformed, huge, old, of other frames."""

from __future__ import annotations

import array
from collections.abc import Callable

from builtin_interfaces.msg import Time as Stamp
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

NAN = float("nan")


def _image(stamp: Stamp, frame: str, **fields) -> Image:
    message = Image(width=640, height=480, encoding="bgr8", step=1920)
    message.header = Header(stamp=stamp, frame_id=frame)
    message.data = array.array("B", bytes(640 * 480 * 3))
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def _camera_info(stamp: Stamp, frame: str, **fields) -> CameraInfo:
    return CameraInfo(header=Header(stamp=stamp, frame_id=frame), **fields)


def _transform(parent: str, child: str, stamp: Stamp, w: float = 1.0, x: float = 0.0) -> TFMessage:
    message = TransformStamped(header=Header(stamp=stamp, frame_id=parent), child_frame_id=child)
    message.transform.rotation.w, message.transform.translation.x = w, x
    return TFMessage(transforms=[message])


def _pose(frame: str, stamp: Stamp, w: float) -> PoseWithCovarianceStamped:
    message = PoseWithCovarianceStamped(header=Header(stamp=stamp, frame_id=frame))
    message.pose.pose.orientation.w = w
    return message


OLD, BEFORE_TIME = Stamp(sec=1_000_000), Stamp(sec=-5)
FOREIGN: tuple[Callable[[Stamp, str], object], ...] = (
    lambda stamp, frame: _image(stamp, frame, data=array.array("B")),
    lambda stamp, frame: _image(stamp, frame, width=0, height=0, step=0, data=array.array("B")),
    lambda stamp, frame: _image(stamp, frame, width=4_000_000_000, height=4_000_000_000),
    lambda stamp, frame: _image(stamp, frame, step=7),
    lambda stamp, frame: _image(stamp, frame, encoding="32FC1"),
    lambda stamp, frame: _image(stamp, frame, encoding="\U0001f916"),
    lambda _, frame: _image(OLD, frame),
    lambda _, frame: _image(BEFORE_TIME, frame),
    lambda _, frame: _image(Stamp(), frame),
    lambda stamp, _: _image(stamp, "arm_camera"),
    lambda stamp, _: _image(stamp, ""),
    lambda stamp, frame: _camera_info(stamp, frame),
    lambda stamp, frame: _camera_info(
        stamp, frame, width=640, height=480, k=[NAN] * 9, distortion_model="plumb_bob"
    ),
    lambda stamp, frame: _camera_info(
        stamp, frame, width=640, height=480, k=[1e300] * 9, distortion_model="barrel"
    ),
    lambda stamp, _: _transform("odom", "base_link", stamp, w=0.0),
    lambda stamp, _: _transform("odom", "base_link", stamp, x=NAN),
    lambda stamp, _: _transform("odom", "base_link", BEFORE_TIME),
    lambda stamp, _: _transform("odom", "base_link", OLD),
    lambda stamp, _: _transform("", "base_link", stamp),
    lambda stamp, _: _transform("base_link", "base_link", stamp),
    lambda stamp, _: _transform("left_wheel", "left_tyre", stamp),
    lambda stamp, _: _transform("map", "shelf", stamp, x=1e300),
    lambda stamp, _: _pose("odom", stamp, 1.0),
    lambda stamp, _: _pose("map", stamp, 0.0),
    lambda stamp, _: _pose("map", stamp, NAN),
)
"""Each makes a message for the present time, and the frame of a camera."""
