"""The camera of the load measurement: pictures of a folder at a steady rate, to and fro so that motion is smooth."""

from __future__ import annotations

import array
import itertools
import sys
from pathlib import Path

from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from reloc_ros.ros.load import load_images
from reloc_ros.ros.process import Stop, run_node


class LoadCamera(Node):
    def __init__(self, folder: Path, rate_hz: float, width: int, height: int) -> None:
        super().__init__("load_camera")
        images = load_images(folder, width, height)
        # Bytes in an array.array go into a message without a copy of each element.
        self._frames = itertools.cycle([array.array("B", i.tobytes()) for i in (*images, *images[-2:0:-1])])
        self._width, self._height = width, height
        self._publisher = self.create_publisher(Image, "image", QoSProfile(depth=5))
        self.create_timer(1 / rate_hz, self._publish)

    def start(self, stop: Stop) -> None:
        """The timer does all."""

    def stop(self) -> None:
        """The timer ends with the executor."""

    def _publish(self) -> None:
        message = Image(
            header=Header(stamp=self.get_clock().now().to_msg(), frame_id="camera_optical_frame"),
            width=self._width,
            height=self._height,
            encoding="bgr8",
            step=3 * self._width,
        )
        message.data = next(self._frames)
        self._publisher.publish(message)


if __name__ == "__main__":
    folder, rate_hz, width, height = sys.argv[1:5]
    sys.exit(
        run_node("load_camera", lambda: LoadCamera(Path(folder), float(rate_hz), int(width), int(height)))
    )
