"""The robot of the drive: two cameras, slow and late odometry, and what else other nodes of a robot may send."""

from __future__ import annotations

import collections
import time
from collections.abc import Mapping

import numpy as np
from builtin_interfaces.msg import Time as Stamp
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from reloc_ros.demo.film.rendered_walk import RenderedWalk
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.demo.fusion.robot import (
    BASE_FROM_CAMERA,
    ODOMETRY_HZ,
    Drive,
    Slip,
    moved,
    relative,
    se3_from_planar,
)
from reloc_ros.demo.ros.foreign_messages import FOREIGN
from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import camera_info_from, image_from_pixels, transform_from_se3

NAMESPACE = "/robot1"
MOUNTS = {
    name: SE3.from_rotation_vector([0, 0, np.radians(yaw_deg)], [0, y, 0]) @ BASE_FROM_CAMERA
    for name, yaw_deg, y in (("left", 25.0, 0.15), ("right", -25.0, -0.15))
}
"""Of the cameras on the base."""
SENT_HZ, LATE_S = 8.0, 0.15
"""Of the odometry."""
START = np.array([-7.0, 6.0, 2.0])
"""x, y, yaw in odom, whose origin then lies 10 m off the map's."""
COVERED_S = {"left": ((10.0, 6.0), (24.0, 8.0)), "right": ((10.0, 6.0), (38.0, 8.0))}
"""Each minute something is before a lens from a second on for so many: once before both, then before each."""
SLIP = Slip(position=0.005, yaw=0.01)


class Robot(Node):
    """Drives to and fro along a way whose pictures are there already; call `tick` at ODOMETRY_HZ."""

    def __init__(self, run: Drive, walks: Mapping[str, RenderedWalk], foreign: int, seconds: float) -> None:
        """Args: walks: by camera."""
        super().__init__("robot", namespace=NAMESPACE)
        self._run, self._walks, self._foreign, self._seconds = run, walks, foreign, seconds
        self._pictures_hz = next(iter(walks.values())).rate_hz
        self._rng = np.random.default_rng(5)
        self._odometry, self._row = START.copy(), 0
        self._late: collections.deque[tuple[float, TFMessage]] = collections.deque()
        self.truth: dict[int, np.ndarray] = {}
        """By the stamp of each picture in ns, x, y and yaw of the base in the map."""
        self.odometry: dict[int, np.ndarray] = {}
        """The same in odom."""
        self.foreign_sent = 0
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._mount = self.create_publisher(TFMessage, "tf_static", latched)
        of_robot = {
            TFMessage: self.create_publisher(TFMessage, "tf", 100),
            PoseWithCovarianceStamped: self.create_publisher(PoseWithCovarianceStamped, "initialpose", 1),
        }
        self._topics = {
            name: {
                Image: self.create_publisher(Image, f"{name}/image", 5),
                CameraInfo: self.create_publisher(CameraInfo, f"{name}/camera_info", 5),
                **of_robot,
            }
            for name in MOUNTS
        }
        mounts = [_transform("base_link", frame_of(name), mount, Stamp()) for name, mount in MOUNTS.items()]
        self._mount.publish(TFMessage(transforms=mounts))

    def tick(self, count: int) -> None:
        """Be where the drive is after `count` steps, and send what is due."""
        now, row = self.get_clock().now(), _to_and_fro(count, len(self._run))
        step = relative(self._run.truth[self._row], self._run.truth[row])
        noise = [SLIP.position, SLIP.position, SLIP.yaw] * self._rng.normal(size=3) / np.sqrt(ODOMETRY_HZ)
        self._odometry, self._row = moved(self._odometry, step + noise * (count > 0)), row
        if count % round(ODOMETRY_HZ / SENT_HZ) == 0:
            transform = se3_from_planar(self._odometry)
            message = TFMessage(transforms=[_transform("odom", "base_link", transform, now.to_msg())])
            self._late.append((time.monotonic() + LATE_S, message))
        while self._late and self._late[0][0] <= time.monotonic():
            self._send(self._late.popleft()[1])
        if row % round(ODOMETRY_HZ / self._pictures_hz) == 0:
            self._show(row, now, count / ODOMETRY_HZ)
        if self.foreign_sent < self._foreign * (count / ODOMETRY_HZ) / self._seconds:
            camera = list(MOUNTS)[self.foreign_sent // len(FOREIGN) % len(MOUNTS)]
            make = FOREIGN[self.foreign_sent % len(FOREIGN)]
            self._send(make(now.to_msg(), frame_of(camera)), camera)
            self.foreign_sent += 1

    def _show(self, row: int, now: Time, elapsed_s: float) -> None:
        self.truth[now.nanoseconds], self.odometry[now.nanoseconds] = self._run.truth[row], self._odometry
        for name, walk in self._walks.items():
            picture = walk.picture(row // round(ODOMETRY_HZ / walk.rate_hz))
            if any(since <= elapsed_s % 60.0 < since + length for since, length in COVERED_S[name]):
                picture = picture // 24
            header = Header(stamp=now.to_msg(), frame_id=frame_of(name))
            self._send(image_from_pixels(picture, header), name)
            self._send(camera_info_from(CAMERA, header), name)

    def _send(self, message, camera: str = "left") -> None:
        self._topics[camera][type(message)].publish(message)


def frame_of(camera: str) -> str:
    return f"{camera}_camera"


def _transform(parent: str, child: str, parent_from_child: SE3, stamp: Stamp) -> TransformStamped:
    transform = TransformStamped(child_frame_id=child, transform=transform_from_se3(parent_from_child))
    transform.header = Header(stamp=stamp, frame_id=parent)
    return transform


def _to_and_fro(count: int, length: int) -> int:
    place = count % (2 * length - 2)
    return place if place < length else 2 * length - 2 - place
