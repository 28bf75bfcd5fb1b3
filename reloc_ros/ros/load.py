"""Measure the node at work: a camera process sends images over DDS, the real node localizes them.

    python -m reloc_ros.ros.load BUNDLE IMAGES_DIR [--seconds 60] [--rate 30] [--truth FILE] [--json FILE]

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
from collections.abc import Iterator, Sequence
from pathlib import Path

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time

from reloc_ros.bundle import Bundle
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.msg import RelocStatus
from reloc_ros.ros.conversions import se3_from_pose, seconds_from_stamp
from reloc_ros.ros.load_camera import TRUTH_DEPTH
from reloc_ros.ros.load_report import HeardPose, Load, Usage, load_from

SETTLE_S = 3.0
"""From the first pose to the beginning of the measurement: caches are warm, discovery is over."""
START_TIMEOUT_S = 60.0
TRUTHS_TIMEOUT_S = 10.0


@dataclasses.dataclass(frozen=True)
class LoadPlan:
    """What to send, for how long, and to what node."""

    bundle: Path
    images: Path
    seconds: float = 60.0
    rate_hz: float = 30.0
    width: int = 640
    height: int = 480
    backend: str = "onnx"
    truth: Path | None = None
    """TUM trajectory with a row for each image."""
    reliability: str = "reliable"
    """Of the camera's images."""
    node_reliability: str = "auto"
    """The node's parameter image_reliability."""


class _Listener(Node):
    """Keeps the arrival of every pose, status and truth."""

    def __init__(self, context: Context) -> None:
        super().__init__("reloc_load", context=context)
        self.poses: list[HeardPose] = []
        self.statuses: list[RelocStatus] = []
        self.truths: dict[int, SE3] = {}
        latched = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(PoseStamped, "/reloc/pose", self._on_pose, 50)
        self.create_subscription(PoseStamped, "/truth", self._on_truth, TRUTH_DEPTH)
        self.create_subscription(RelocStatus, "/reloc/status", self.statuses.append, latched)

    def _on_pose(self, message: PoseStamped) -> None:
        stamp = message.header.stamp
        camera_from_map = se3_from_pose(message.pose).inverse()
        times = time.time(), seconds_from_stamp(stamp), Time.from_msg(stamp).nanoseconds
        self.poses.append(HeardPose(*times, camera_from_map))

    def _on_truth(self, message: PoseStamped) -> None:
        stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
        self.truths[stamp_ns] = se3_from_pose(message.pose).inverse()


def measure(plan: LoadPlan) -> Load:
    """Run camera and node, listen once they have settled, and end them."""
    Bundle.load(plan.bundle)
    context = Context()
    rclpy.init(context=context)
    listener = _Listener(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    spinner = threading.Thread(target=_spin, args=(executor,))
    spinner.start()
    try:
        with _process(*_node_arguments(plan)) as node, _process(*_camera_arguments(plan)) as camera:
            _wait_for_images(listener, plan, node, camera)
            time.sleep(SETTLE_S)
            return _observe(listener, node.pid, plan)
    finally:
        executor.shutdown()
        spinner.join()
        listener.destroy_node()
        context.try_shutdown()


def _node_arguments(plan: LoadPlan) -> list[str]:
    parameters = {
        "bundle": f"'{plan.bundle}'",
        "backend": plan.backend,
        "camera_source": "bundle",
        "image_reliability": plan.node_reliability,
    }
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    return ["-m", "reloc_ros.ros.node", "--ros-args", *words]


def _camera_arguments(plan: LoadPlan) -> list[str]:
    numbers = [str(number) for number in (plan.rate_hz, plan.width, plan.height)]
    truth = ["--truth", str(plan.truth)] if plan.truth else []
    return [
        "-m", "reloc_ros.ros.load_camera", str(plan.images), *numbers, "--reliability", plan.reliability, *truth
    ]  # fmt: skip


def _spin(executor: SingleThreadedExecutor) -> None:
    with contextlib.suppress(ExternalShutdownException):
        executor.spin()


@contextlib.contextmanager
def _process(*arguments: str) -> Iterator[subprocess.Popen]:
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


def _wait_for_images(listener: _Listener, plan: LoadPlan, *processes: subprocess.Popen) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not any(status.frames_received for status in listener.statuses) or (
        plan.truth and not listener.truths
    ):
        if any(process.poll() is not None for process in processes):
            raise RelocError("the node or the camera ended before the measurement began; see above for why")
        if time.monotonic() > deadline_s:
            raise RelocError(f"no image reached the node within {START_TIMEOUT_S:.0f} s")
        time.sleep(0.05)


def _observe(listener: _Listener, pid: int, plan: LoadPlan) -> Load:
    before, usage, started_s = listener.statuses[-1], _usage_of(pid), time.monotonic()
    status_mark, pose_mark = len(listener.statuses), len(listener.poses)
    time.sleep(plan.seconds)
    elapsed_s = time.monotonic() - started_s
    usages = usage, _usage_of(pid)
    statuses, poses = listener.statuses[status_mark:], listener.poses[pose_mark:]
    _wait_for_truths(listener, poses)
    return load_from(before, statuses, poses, listener.truths, usages, elapsed_s, plan.rate_hz)


def _wait_for_truths(listener: _Listener, poses: Sequence[HeardPose]) -> None:
    """This process takes turns among the topics, and may be some truths behind the poses."""
    deadline_s = time.monotonic() + TRUTHS_TIMEOUT_S
    last_ns = max((pose.stamp_ns for pose in poses), default=0)
    while listener.truths and max(listener.truths.copy()) < last_ns and time.monotonic() < deadline_s:
        time.sleep(0.05)


def _usage_of(pid: int) -> Usage:
    # User and system time are fields 14 and 15 of proc(5), counted after the name, which may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Usage(cpu_s, pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="node_load", description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("images", type=Path, help="folder of pictures of the place; sent to and fro")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=30.0, help="images per second")
    parser.add_argument("--size", default="640x480", help="WIDTHxHEIGHT of the images sent")
    parser.add_argument("--backend", default="onnx")
    parser.add_argument("--truth", type=Path, help="TUM trajectory of the images: wrong poses are counted")
    parser.add_argument(
        "--reliability", default="reliable", choices=("reliable", "best_effort"), help="the camera's"
    )
    parser.add_argument("--node-reliability", default="auto", choices=("auto", "reliable", "best_effort"))
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = vars(parser.parse_args(arguments))
    given["width"], given["height"] = map(int, given.pop("size").split("x"))
    json_path, given["rate_hz"] = given.pop("json"), given.pop("rate")
    # By itself, unless the caller wants otherwise: other traffic would be measured too.
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 101))
    try:
        figures = dataclasses.asdict(measure(LoadPlan(**given)))
    except RelocError as error:
        print(f"node_load: {error}", file=sys.stderr)
        return RelocError.EXIT_CODE
    except KeyboardInterrupt:
        return 130
    for name, value in figures.items():
        print(f"{name:22} {value:.1f}" if isinstance(value, float) else f"{name:22} {value}")
    if json_path:
        json_path.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
