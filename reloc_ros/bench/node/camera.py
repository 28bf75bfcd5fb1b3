"""The camera of the load measurement: pictures of a folder at a steady rate, to and fro so that motion is smooth."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from std_msgs.msg import Header

from reloc_ros.bundle import Bundle
from reloc_ros.cameras import Camera
from reloc_ros.demo.film.rendered_walk import RenderedWalk
from reloc_ros.demo.film.writer import write_tum
from reloc_ros.demo.ros.picture_publisher import PicturePublisher, to_and_fro
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.ros.input.transport import room_for_large_messages
from reloc_ros.ros.process import Shutdown, run_node

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
WALK_S = 8.0
"""Of the demo's walk, from its start, where the room is in view."""


class LoadCamera(PicturePublisher):
    """Plays the folder by a timer, with the truth where that is known."""

    is_loading = False

    def __init__(self, given: argparse.Namespace) -> None:
        bundle_camera = Bundle.load(given.bundle).camera
        camera, images = load_images(given.folder, bundle_camera, given.width, given.height)
        truths = load_truths(given.truth, len(images)) if given.truth else [None] * len(images)
        super().__init__("load_camera", camera, "camera_optical_frame", reliability=given.reliability)
        self._behind = Duration(seconds=given.behind)
        frames = ((images[row], truths[row]) for row in to_and_fro(len(images)))
        self.create_timer(1 / given.rate_hz, lambda: self.publish(*next(frames)))

    def _header(self) -> Header:
        stamp = (self.get_clock().now() - self._behind).to_msg()
        return Header(stamp=stamp, frame_id=self._frame)

    def start(self, shutdown: Shutdown) -> None:
        """The timer does all."""

    def stop(self) -> None:
        """The timer ends with the executor."""


def load_images(
    folder: Path, camera: Camera, width: int, height: int
) -> tuple[Camera, list[NDArray[np.uint8]]]:
    """The folder's pictures (height, width, 3) in name order, scaled to fill that size and cut to it; and their camera.

    Args:
        camera: of the pictures, at any resolution.

    Raises:
        RelocError: there is no picture, or one of another shape than the camera's.
    """
    if not folder.is_dir():
        raise RelocError(f"{folder} is not a folder of images")
    scale = max(width / camera.width, height / camera.height)
    size = max(width, round(scale * camera.width)), max(height, round(scale * camera.height))
    x, y = (size[0] - width) // 2, (size[1] - height) // 2
    images = []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES):
        image = cv2.imread(str(path))
        if image is None:
            continue
        if abs(image.shape[1] * camera.height - image.shape[0] * camera.width) > max(image.shape):
            raise RelocError(
                f"{path} is {image.shape[1]}x{image.shape[0]}, of another shape than the bundle's camera, "
                f"{camera.width}x{camera.height}"
            )
        how = cv2.INTER_AREA if size[0] <= image.shape[1] else cv2.INTER_LINEAR
        images.append(cv2.resize(image, size, interpolation=how)[y : y + height, x : x + width])
    if not images:
        raise RelocError(f"{folder} holds no image; put {', '.join(IMAGE_SUFFIXES)} files there")
    return camera.resized(*size).cropped(x, y, width, height), images


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


def rendered_walk(cache_dir: Path, rate_hz: float) -> tuple[Path, Path]:
    """A folder of the demo's pictures, and the TUM file with the pose of each; they are rendered the first time."""
    walk = RenderedWalk.within(cache_dir, rate_hz, WALK_S)
    if walk.ready() < len(walk):
        print(f"rendering {len(walk)} pictures into {walk.folder}, only this once", flush=True)
        walk.render_missing()
    truth = walk.folder / "truth.tum"
    write_tum(truth, walk.trajectory.times_s, walk.trajectory.camera_from_map)
    return walk.folder, truth


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="load_camera", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("rate_hz", type=float)
    parser.add_argument("width", type=int)
    parser.add_argument("height", type=int)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--reliability", default="reliable")
    parser.add_argument("--behind", type=float, default=0.0, help="seconds, of its clock")
    parser.add_argument("--large-segment", action="store_true")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    with room_for_large_messages() if given.large_segment else contextlib.nullcontext():
        return run_node("load_camera", lambda: LoadCamera(given))


if __name__ == "__main__":
    sys.exit(main())
