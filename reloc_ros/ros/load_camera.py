"""The camera of the load measurement: pictures of a folder at a steady rate, to and fro so that motion is smooth."""

from __future__ import annotations

import argparse
import array
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import pose_from_se3
from reloc_ros.ros.process import Stop, run_node

TRUTH_DEPTH = 1000
"""No truth may be lost, however far behind its listener is."""
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


class LoadCamera(Node):
    """Publishes `image`, and `truth` where it is known."""

    def __init__(self, given: argparse.Namespace) -> None:
        super().__init__("load_camera")
        images = load_images(given.folder, given.width, given.height)
        truths = load_truths(given.truth, len(images)) if given.truth else [None] * len(images)
        # Bytes in an array.array go into a message without a copy of each element.
        frames = list(zip((array.array("B", image.tobytes()) for image in images), truths, strict=True))
        self._frames = itertools.cycle([*frames, *frames[-2:0:-1]])
        self._width, self._height = given.width, given.height
        reliability = ReliabilityPolicy[given.reliability.upper()]
        self._publisher = self.create_publisher(Image, "image", QoSProfile(depth=5, reliability=reliability))
        self._truths = self.create_publisher(PoseStamped, "truth", TRUTH_DEPTH)
        self.create_timer(1 / given.rate_hz, self._publish)

    def start(self, stop: Stop) -> None:
        """The timer does all."""

    def stop(self) -> None:
        """The timer ends with the executor."""

    def _publish(self) -> None:
        data, map_from_camera = next(self._frames)
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id="camera_optical_frame")
        if map_from_camera is not None:
            self._truths.publish(PoseStamped(header=header, pose=pose_from_se3(map_from_camera)))
        message = Image(
            header=header, width=self._width, height=self._height, encoding="bgr8", step=3 * self._width
        )
        message.data = data
        self._publisher.publish(message)


def load_images(folder: Path, width: int, height: int) -> list[NDArray[np.uint8]]:
    """The folder's pictures in name order, resized.

    Raises:
        RelocError: there is none.
    """
    if not folder.is_dir():
        raise RelocError(f"{folder} is not a folder of images")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    images = [cv2.imread(str(path)) for path in paths]
    images = [
        cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        for image in images
        if image is not None
    ]
    if not images:
        raise RelocError(f"{folder} holds no image; put {', '.join(IMAGE_SUFFIXES)} files there")
    return images


def load_truths(path: Path, count: int) -> list[SE3]:
    """map_from_camera of each image from a TUM file: time x y z qx qy qz qw.

    Raises:
        RelocError: it is none, or tells of another number of images.
    """
    try:
        rows = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise RelocError(f"{path} cannot be read as a TUM trajectory: {error}") from error
    if rows.shape != (count, 8):
        raise RelocError(
            f"{path} has {len(rows)} rows of {rows.shape[1]} numbers; {count} images need 8 each"
        )
    return [SE3.from_quaternion_wxyz(row[[7, 4, 5, 6]], row[1:4]) for row in rows]


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="load_camera", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rate_hz", type=float)
    parser.add_argument("width", type=int)
    parser.add_argument("height", type=int)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--reliability", default="reliable")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    return run_node("load_camera", lambda: LoadCamera(given))


if __name__ == "__main__":
    sys.exit(main())
