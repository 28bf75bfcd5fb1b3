"""What a camera driver publishes, and the truth beside it: the demo's camera and the load measurement's are such."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import camera_info_from, image_from_pixels, pose_from_se3

TRUTH_PROFILE = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""The truth of a whole walk is kept for a listener that comes late or is slow."""


class PicturePublisher(Node):
    """Publishes `image`, `camera_info` and `truth`, each stamped when sent."""

    def __init__(
        self, name: str, camera: Camera, frame: str, namespace: str = "", reliability: str = "reliable"
    ) -> None:
        super().__init__(name, namespace=namespace)
        self._camera, self._frame = camera, frame
        profile = QoSProfile(depth=5, reliability=ReliabilityPolicy[reliability.upper()])
        self._images = self.create_publisher(Image, "image", profile)
        self._infos = self.create_publisher(CameraInfo, "camera_info", profile)
        self._truths = self.create_publisher(PoseStamped, "truth", TRUTH_PROFILE)

    def publish(self, image: NDArray[np.uint8], map_from_camera: SE3 | None) -> None:
        """Send a picture (H, W, 3) BGR, its intrinsics, and the truth where that is known.

        The large one goes first, as image_transport sends it: what comes just before it through Fast DDS's default
        shared memory is lost in a fifth of the cases, and comes again up to seconds later.
        """
        header = self._header()
        self._images.publish(image_from_pixels(image, header))
        self._infos.publish(camera_info_from(self._camera, header))
        if map_from_camera is not None:
            truth_header = Header(stamp=header.stamp, frame_id="map")
            self._truths.publish(PoseStamped(header=truth_header, pose=pose_from_se3(map_from_camera)))

    def _header(self) -> Header:
        return Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame)


def to_and_fro(count: int) -> Iterator[int]:
    """0, 1, … count - 1, … 1, 0, 1 and so on for ever: motion stays smooth."""
    return itertools.cycle([*range(count), *range(count - 2, 0, -1)])
