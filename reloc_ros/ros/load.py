"""Measure the node at work: a camera process sends images over DDS, the real node localizes them.

    python -m reloc_ros.ros.load BUNDLE IMAGES_DIR [--seconds 60] [--rate 30] [--json FILE]

Three processes, as on a robot: the camera, the node, and this one, which listens and reads /proc.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from reloc_ros.bundle import Bundle
from reloc_ros.errors import RelocError
from reloc_ros.msg import RelocStatus
from reloc_ros.ros.conversions import seconds_from_stamp

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
SETTLE_S = 3.0
"""From the first pose to the beginning of the measurement: caches are warm, discovery is over."""
START_TIMEOUT_S = 60.0


@dataclasses.dataclass(frozen=True)
class Load:
    """What the node did in the measured time."""

    seconds: float
    backend: str
    expected: int
    """Images that the camera's rate makes in that time."""
    received: int
    localized: int
    lost: int
    dropped: int
    """Overtaken by a newer image before the node began with them."""
    poses: int
    """Published; localized images whose pose the status withheld are not among them."""
    stamp_to_pose_p50_ms: float
    """From the image's stamp to the arrival of its pose in another process."""
    stamp_to_pose_p99_ms: float
    localize_p50_ms: float
    """The part of it from the begin of work on the image to its result."""
    cpu_percent: float
    """Of one core, by the node."""
    rss_mb: float


class _Listener(Node):
    """Keeps the arrival of every pose and status."""

    def __init__(self, context: Context) -> None:
        super().__init__("reloc_load", context=context)
        self.poses: list[tuple[float, float]] = []
        self.statuses: list[RelocStatus] = []
        latched = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(PoseStamped, "/reloc/pose", self._on_pose, 50)
        self.create_subscription(RelocStatus, "/reloc/status", self.statuses.append, latched)

    def _on_pose(self, message: PoseStamped) -> None:
        self.poses.append((time.time(), seconds_from_stamp(message.header.stamp)))


def measure(
    bundle: Path, images: Path, *, seconds: float, rate_hz: float, width: int, height: int, backend: str
) -> Load:
    """Run camera and node, listen for `seconds` after they have settled, and end them."""
    Bundle.load(bundle)
    context = Context()
    rclpy.init(context=context)
    listener = _Listener(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    spinner = threading.Thread(target=_spin, args=(executor,))
    spinner.start()
    camera_arguments = [str(images), str(rate_hz), str(width), str(height)]
    try:
        with (
            _process("-m", "reloc_ros.ros.node", "--ros-args", "-p", f"bundle:='{bundle}'", "-p", f"backend:={backend}",
                     "-p", "camera_source:=bundle") as node,
            _process("-m", "reloc_ros.ros.load_camera", *camera_arguments) as camera,
        ):  # fmt: skip
            _wait_for_images(listener, node, camera)
            time.sleep(SETTLE_S)
            return _observe(listener, node.pid, seconds, rate_hz)
    finally:
        executor.shutdown()
        spinner.join()
        listener.destroy_node()
        context.try_shutdown()


def _spin(executor: SingleThreadedExecutor) -> None:
    with contextlib.suppress(ExternalShutdownException):
        executor.spin()


@contextlib.contextmanager
def _process(*arguments: str):
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_images(listener: _Listener, *processes: subprocess.Popen) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not any(status.frames_received for status in listener.statuses):
        if any(process.poll() is not None for process in processes):
            raise RelocError("the node or the camera ended before the measurement began; see above for why")
        if time.monotonic() > deadline_s:
            raise RelocError(f"no image reached the node within {START_TIMEOUT_S:.0f} s")
        time.sleep(0.05)


def _observe(listener: _Listener, pid: int, seconds: float, rate_hz: float) -> Load:
    first, cpu_before_s, started_s = listener.statuses[-1], _cpu_seconds(pid), time.monotonic()
    status_mark, pose_mark = len(listener.statuses), len(listener.poses)
    time.sleep(seconds)
    elapsed_s = time.monotonic() - started_s
    statuses, poses = listener.statuses[status_mark:], listener.poses[pose_mark:]
    last = statuses[-1] if statuses else first
    delays_ms = [1000 * (arrived_s - stamp_s) for arrived_s, stamp_s in poses] or [np.nan]
    latencies_ms = [1000 * status.latency_s for status in statuses] or [np.nan]
    return Load(
        seconds=elapsed_s,
        backend=last.backend,
        expected=round(elapsed_s * rate_hz),
        received=last.frames_received - first.frames_received,
        localized=last.frames_localized - first.frames_localized,
        lost=last.frames_lost - first.frames_lost,
        dropped=last.frames_dropped - first.frames_dropped,
        poses=len(poses),
        stamp_to_pose_p50_ms=float(np.percentile(delays_ms, 50)),
        stamp_to_pose_p99_ms=float(np.percentile(delays_ms, 99)),
        localize_p50_ms=float(np.nanpercentile(latencies_ms, 50)),
        cpu_percent=100 * (_cpu_seconds(pid) - cpu_before_s) / elapsed_s,
        rss_mb=_rss_mb(pid),
    )


def _cpu_seconds(pid: int) -> float:
    """User and system time; fields 14 and 15 of proc(5), counted after the name, which may hold blanks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="node_load", description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("images", type=Path, help="folder of pictures of the place; sent to and fro")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=30.0, help="images per second")
    parser.add_argument("--size", default="640x480", help="WIDTHxHEIGHT of the images sent")
    parser.add_argument("--backend", default="onnx")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args(arguments)
    width, height = map(int, given.size.split("x"))
    # By itself, unless the caller wants otherwise: other traffic would be measured too.
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 101))
    try:
        load = measure(
            given.bundle,
            given.images,
            seconds=given.seconds,
            rate_hz=given.rate,
            width=width,
            height=height,
            backend=given.backend,
        )
    except RelocError as error:
        print(f"node_load: {error}", file=sys.stderr)
        return RelocError.EXIT_CODE
    except KeyboardInterrupt:
        return 130
    figures = dataclasses.asdict(load)
    for name, value in figures.items():
        print(f"{name:22} {value:.1f}" if isinstance(value, float) else f"{name:22} {value}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
