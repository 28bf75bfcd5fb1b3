"""The robot of the drive: a camera, slow and late odometry, and what else other nodes of a robot may send."""

from __future__ import annotations

import collections
import time

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
from reloc_ros.ros.conversions import camera_info_from, image_from_pixels, transform_from_se3

NAMESPACE = "/robot1"
FRAME = "mast_camera"
SENT_HZ, LATE_S = 8.0, 0.15
"""Of the odometry."""
START = np.array([-7.0, 6.0, 2.0])
"""x, y, yaw in odom, whose origin then lies 10 m off the map's."""
COVERED_S = (10.0, 6.0)
"""Once a minute something is before the lens for so long, from that second on."""
SLIP = Slip(position=0.005, yaw=0.01)


class Robot(Node):
    """Drives to and fro along a way whose pictures are there already; call `tick` at ODOMETRY_HZ."""

    def __init__(self, run: Drive, walk: RenderedWalk, foreign: int, seconds: float) -> None:
        super().__init__("robot", namespace=NAMESPACE)
        self._run, self._walk, self._foreign, self._seconds = run, walk, foreign, seconds
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
        self._topics = {
            TFMessage: self.create_publisher(TFMessage, "tf", 100),
            Image: self.create_publisher(Image, "image", 5),
            CameraInfo: self.create_publisher(CameraInfo, "camera_info", 5),
            PoseWithCovarianceStamped: self.create_publisher(PoseWithCovarianceStamped, "initialpose", 1),
        }
        self._mount.publish(self._transforms("base_link", FRAME, BASE_FROM_CAMERA, Stamp()))

    def tick(self, count: int) -> None:
        """Be where the drive is after `count` steps, and send what is due."""
        now, row = self.get_clock().now(), _to_and_fro(count, len(self._run))
        step = relative(self._run.truth[self._row], self._run.truth[row])
        noise = [SLIP.position, SLIP.position, SLIP.yaw] * self._rng.normal(size=3) / np.sqrt(ODOMETRY_HZ)
        self._odometry, self._row = moved(self._odometry, step + noise * (count > 0)), row
        if count % round(ODOMETRY_HZ / SENT_HZ) == 0:
            transform = se3_from_planar(self._odometry)
            message = self._transforms("odom", "base_link", transform, now.to_msg())
            self._late.append((time.monotonic() + LATE_S, message))
        while self._late and self._late[0][0] <= time.monotonic():
            self._send(self._late.popleft()[1])
        if row % round(ODOMETRY_HZ / self._walk.rate_hz) == 0:
            self._show(row, now, count / ODOMETRY_HZ)
        if self.foreign_sent < self._foreign * (count / ODOMETRY_HZ) / self._seconds:
            self._send(FOREIGN[self.foreign_sent % len(FOREIGN)](now.to_msg()))
            self.foreign_sent += 1

    def _show(self, row: int, now: Time, elapsed_s: float) -> None:
        picture = self._walk.picture(row // round(ODOMETRY_HZ / self._walk.rate_hz))
        since, length = COVERED_S
        if since <= elapsed_s % 60.0 < since + length:
            picture = picture // 24
        self.truth[now.nanoseconds], self.odometry[now.nanoseconds] = self._run.truth[row], self._odometry
        header = Header(stamp=now.to_msg(), frame_id=FRAME)
        self._send(camera_info_from(CAMERA, header))
        self._send(image_from_pixels(picture, header))

    def _send(self, message) -> None:
        self._topics[type(message)].publish(message)

    def _transforms(self, parent: str, child: str, parent_from_child, stamp: Stamp) -> TFMessage:
        transform = TransformStamped(child_frame_id=child, transform=transform_from_se3(parent_from_child))
        transform.header = Header(stamp=stamp, frame_id=parent)
        return TFMessage(transforms=[transform])


def _to_and_fro(count: int, length: int) -> int:
    place = count % (2 * length - 2)
    return place if place < length else 2 * length - 2 - place
