"""The demo itself: starts the camera and the node, watches what the node says, and judges it."""

from __future__ import annotations

import dataclasses
import signal
import time
from pathlib import Path

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from rich.console import Console
from rich.live import Live
from rich.text import Text
from tf2_msgs.msg import TFMessage

from reloc_ros.demo.film.rendered_walk import RenderedWalk
from reloc_ros.demo.result.record import Record, Report
from reloc_ros.demo.result.table import live_view, plain_line
from reloc_ros.demo.ros.camera import FRAME, NAMESPACE
from reloc_ros.demo.ros.domain import claim_domain
from reloc_ros.demo.ros.picture_publisher import TRUTH_PROFILE
from reloc_ros.demo.ros.processes import Child, start_node, start_publisher
from reloc_ros.errors import RelocError
from reloc_ros.msg import RelocStatus
from reloc_ros.ros.conversions import se3_from_pose, se3_from_transform
from reloc_ros.stream.status import State
from reloc_ros.stream.stop import Stop

SETTLE_S = 1.0
"""Without any message after the last picture, until all answers are here."""
START_S = 60.0
"""Until the node must have said something."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REFRESH_S = 0.15
PLAIN_LINE_S = 1.0


@dataclasses.dataclass(frozen=True)
class LiveRun:
    """What to show to whom."""

    bundle: Path
    output_dir: Path
    """Logs, pictures of the walk, and results."""
    rate_hz: float = 8.0
    seconds: float | None = None
    """Length of the walk; None: all of it."""


class Watcher(Node):
    """Writes down what the publisher and the node say."""

    def __init__(self, record: Record) -> None:
        super().__init__("watch", namespace=NAMESPACE)
        self._record = record
        self.heard = 0
        """Messages so far."""
        self.heard_node = False
        latched = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(PoseStamped, "truth", self._on_truth, TRUTH_PROFILE)
        self.create_subscription(RelocStatus, "/reloc/status", self._on_status, latched)
        self.create_subscription(PoseStamped, "/reloc/pose", self._on_pose, 50)
        self.create_subscription(TFMessage, "/tf", self._on_transforms, 100)

    def _on_truth(self, message: PoseStamped) -> None:
        self.heard += 1
        self._record.add_truth(_stamp_ns(message), se3_from_pose(message.pose).inverse())

    def _on_pose(self, message: PoseStamped, info: dict) -> None:
        # When it reached this process, not when a busy thread of it got round to reading it.
        arrival_ns = info["received_timestamp"] or self.get_clock().now().nanoseconds
        self.heard += 1
        self._record.add_pose(_stamp_ns(message), se3_from_pose(message.pose).inverse(), arrival_ns)

    def _on_transforms(self, message: TFMessage) -> None:
        for transform in message.transforms:
            if transform.child_frame_id == FRAME:
                map_from_camera = se3_from_transform(transform.transform)
                self._record.add_transform(_stamp_ns(transform), map_from_camera.inverse())

    def _on_status(self, message: RelocStatus) -> None:
        self.heard += 1
        self.heard_node = True
        self._record.dropped = message.frames_dropped
        if not message.header.frame_id:  # it speaks of no picture
            return
        report = Report(
            State(message.state),
            message.reason,
            message.keypoints,
            message.inliers,
            1e3 * message.latency_s,
            message.pose_published,
        )
        self._record.add_report(_stamp_ns(message), report)


def _stamp_ns(message) -> int:
    return Time.from_msg(message.header.stamp).nanoseconds


def run_live(run: LiveRun, console: Console) -> tuple[Record, RenderedWalk]:
    """Start the camera and the node, watch them to the end of the walk, and stop them.

    Raises:
        RelocError: one of them could not do its part.
        KeyboardInterrupt: at SIGINT, SIGTERM or SIGHUP, with both ended.
    """
    domain = claim_domain()
    walk = RenderedWalk.within(run.output_dir, run.rate_hz, run.seconds)
    record = Record(walk.trajectory)
    stopped = Stop()
    before = {number: signal.signal(number, stopped.set) for number in STOP_SIGNALS}
    image, info = f"/{NAMESPACE}/image", f"/{NAMESPACE}/camera_info"
    publisher_log, node_log = run.output_dir / "publisher.log", run.output_dir / "node.log"
    console.print(
        f"camera, node and watcher are three processes in ROS domain {domain}; logs: {run.output_dir}"
    )
    with (
        start_publisher(run.output_dir, run.rate_hz, run.seconds, publisher_log) as publisher,
        start_node(run.bundle, image, info, node_log) as node,
    ):
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        watcher = Watcher(record)
        executor = SingleThreadedExecutor()
        executor.add_node(watcher)
        try:
            _watch(watcher, executor, Display(console, record, walk), publisher, node, stopped)
        finally:
            executor.shutdown()
            watcher.destroy_node()
            rclpy.try_shutdown()
    for number, handler in before.items():
        signal.signal(number, handler)
    return record, walk


def _watch(
    watcher: Watcher,
    executor: SingleThreadedExecutor,
    display: Display,
    publisher: Child,
    node: Child,
    stopped: Stop,
) -> None:
    start_s = time.monotonic()
    end_s: float | None = None
    heard = -1
    with display:
        while end_s is None or time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.05)
            display.refresh()
            if stopped.is_set():
                raise KeyboardInterrupt
            node.refuse_end()
            publisher.refuse_end(allow_success=True)
            if publisher.ended is not None and watcher.heard != heard:
                heard, end_s = watcher.heard, time.monotonic() + SETTLE_S
            if not watcher.heard_node and time.monotonic() - start_s > START_S:
                raise RelocError(f"the node has said nothing for {START_S:.0f} s (see {node.log})")


class Display:
    """A live table on a terminal, a line a second elsewhere."""

    def __init__(self, console: Console, record: Record, walk: RenderedWalk) -> None:
        self._console, self._record, self._walk = console, record, walk
        self._length_s = float(walk.trajectory.times_s[-1])
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._next_s, self._ready, self._last_index = 0.0, 0, -1

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_) -> None:
        self.refresh(force=True)
        if self._live is not None:
            self._live.stop()

    def refresh(self, *, force: bool = False) -> None:
        now_s = time.monotonic()
        if now_s < self._next_s and not force:
            return
        self._next_s = now_s + (REFRESH_S if self._live is not None else PLAIN_LINE_S)
        sightings = self._record.sightings()
        told = [sighting for sighting in sightings if sighting.is_told]
        if self._live is not None:
            view = live_view(sightings, self._length_s) if told else Text(self._preparing())
            self._live.update(view, refresh=True)
        elif not told:
            self._console.print(self._preparing(), highlight=False)
        elif told[-1].index != self._last_index:
            self._last_index = told[-1].index
            self._console.print(plain_line(told[-1]), highlight=False, soft_wrap=True)

    def _preparing(self) -> str:
        self._ready = self._walk.ready(self._ready)
        if self._ready < len(self._walk):
            return f"rendering the walk, only this once: {self._ready} of {len(self._walk)} pictures"
        return "starting the camera and the node"
