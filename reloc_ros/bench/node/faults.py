"""What goes wrong on robots, done to a node that is being measured: one fault at a time, and the way back to poses."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from reloc_ros.bench.node.listener import Listener
from reloc_ros.bench.node.plan import LoadPlan, start_camera
from reloc_ros.bench.node.report import Recovery
from reloc_ros.demo.ros.foreign_messages import FOREIGN
from reloc_ros.demo.ros.processes import Child
from reloc_ros.msg import KeypointArray
from reloc_ros.srv import LoadBundle, Relocalize

FAULT_S = 5.0
"""That each lasts."""
PATIENCE_S = 45.0
"""A node that gives no pose for so long after a fault is stuck."""
ANSWER_S = 15.0
FRAME = "camera_optical_frame"
TOPICS = {
    Image: "/image",
    CameraInfo: "/camera_info",
    TFMessage: "/tf",
    PoseWithCovarianceStamped: "/initialpose",
}
DEBUG_TOPICS = {
    "keypoints": KeypointArray,
    "markers": MarkerArray,
    "debug_image": Image,
    "debug_image/compressed": CompressedImage,
}


class Stage:
    """Those that a fault happens to, and a peer that publishes and asks; for one thread."""

    def __init__(self, plan: LoadPlan, node: Child, context: Context) -> None:
        self.plan, self.node = plan, node
        self.camera = start_camera(plan)
        self.peer = Node("fault_peer", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.peer)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.camera.stop()
        self._executor.shutdown()
        self.peer.destroy_node()

    def another_camera(self, **changes: object) -> None:
        """In the place of the present one, which may be dead."""
        self.camera.stop()
        self.camera = start_camera(dataclasses.replace(self.plan, **changes))

    def listen(self, seconds: float) -> None:
        """What the peer has subscribed to."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def ask(self, service_type: type, name: str, **fields: object) -> None:
        """A service of the node's, whose answer may be a refusal; none at all shows as no recovery."""
        client = self.peer.create_client(service_type, f"/reloc/{name}")
        if client.wait_for_service(ANSWER_S):
            answer = client.call_async(service_type.Request(**fields))
            self._executor.spin_until_future_complete(answer, ANSWER_S)
        self.peer.destroy_client(client)


def camera_killed(stage: Stage) -> None:
    os.killpg(stage.camera.pid, signal.SIGKILL)
    time.sleep(FAULT_S)
    stage.another_camera()


def camera_hangs(stage: Stage) -> None:
    _hang(stage.camera)


def node_hangs(stage: Stage) -> None:
    """As of a machine that sleeps, or has no processor to spare."""
    _hang(stage.node)


def _hang(process: Child) -> None:
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(FAULT_S)
    os.killpg(process.pid, signal.SIGCONT)


def other_resolution(stage: Stage) -> None:
    _for_a_while(stage, width=stage.plan.width // 2, height=stage.plan.height // 2)


def best_effort_camera(stage: Stage) -> None:
    _for_a_while(stage, reliability="best_effort")


def flood(stage: Stage) -> None:
    _for_a_while(stage, rate_hz=4 * stage.plan.rate_hz)


def clock_behind(stage: Stage) -> None:
    """The camera's, by an hour: then it is set right."""
    _for_a_while(stage, behind_s=3600.0)


def covered_lens(stage: Stage) -> None:
    with tempfile.TemporaryDirectory() as folder:
        black = np.zeros((stage.plan.height, stage.plan.width, 3), np.uint8)
        cv2.imwrite(str(Path(folder) / "black.png"), black)
        _for_a_while(stage, images=Path(folder), truth=None)


def _for_a_while(stage: Stage, **changes: object) -> None:
    stage.another_camera(**changes)
    time.sleep(2 * FAULT_S)  # of which some are gone until it publishes
    stage.another_camera()


def second_camera(stage: Stage) -> None:
    """On the same topics, elsewhere on the same way; it is killed."""
    with start_camera(stage.plan) as other:
        time.sleep(2 * FAULT_S)
        os.killpg(other.pid, signal.SIGKILL)


def foreign_messages(stage: Stage) -> None:
    publishers = {kind: stage.peer.create_publisher(kind, topic, 5) for kind, topic in TOPICS.items()}
    for make in FOREIGN:
        message = make(stage.peer.get_clock().now().to_msg(), FRAME)
        publishers[type(message)].publish(message)
        time.sleep(FAULT_S / len(FOREIGN))
    for publisher in publishers.values():
        stage.peer.destroy_publisher(publisher)


def listeners_come_and_go(stage: Stage) -> None:
    for _ in range(5):
        heard = [
            stage.peer.create_subscription(kind, f"/reloc/{name}", lambda _: None, 1)
            for name, kind in DEBUG_TOPICS.items()
            for _ in range(3)
        ]
        stage.listen(FAULT_S / 5)
        for subscription in heard:
            stage.peer.destroy_subscription(subscription)


def impossible_requests(stage: Stage) -> None:
    stage.ask(LoadBundle, "load_bundle", bundle="/nowhere")
    wrong = [
        Parameter(name, value=value).to_parameter_msg() for name, value in (("max_rate_hz", -1.0), ("no", 1))
    ]
    stage.ask(SetParameters, "set_parameters", parameters=wrong)
    stage.ask(Relocalize, "relocalize", timeout_s=FAULT_S)


def another_map(stage: Stage) -> None:
    """The same one, loaded anew while images come."""
    stage.ask(LoadBundle, "load_bundle", bundle=str(stage.plan.bundle.resolve()))


def deactivated(stage: Stage) -> None:
    """And taken down to where it holds no map, and up again."""
    for label in ("deactivate", "cleanup", "configure", "activate"):
        request = ChangeState.Request()
        request.transition.label = label
        stage.ask(ChangeState, "change_state", transition=request.transition)


def busy_machine(stage: Stage) -> None:
    with busy(2 * (os.cpu_count() or 1)):
        time.sleep(2 * FAULT_S)


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Others that want as many processors, and have no less right to them."""
    with contextlib.ExitStack() as stack:
        for _ in range(processes):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


FAULTS: tuple[Callable[[Stage], None], ...] = (
    camera_killed,
    camera_hangs,
    node_hangs,
    other_resolution,
    best_effort_camera,
    flood,
    clock_behind,
    covered_lens,
    second_camera,
    foreign_messages,
    listeners_come_and_go,
    impossible_requests,
    another_map,
    deactivated,
    busy_machine,
)


class FaultThread(threading.Thread):
    """Does one fault after the other, all of them in a random order and again, until its block ends."""

    def __init__(self, stage: Stage, listener: Listener, every_s: float) -> None:
        super().__init__(name="faults")
        self.recoveries: list[Recovery] = []
        self._stage, self._listener, self._every_s = stage, listener, every_s
        self._over = threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        """The present fault is brought to its end."""
        self._over.set()
        self.join()

    def run(self) -> None:
        first_s = due_s = time.time()
        for fault in _shuffled(FAULTS):
            due_s += self._every_s
            if self._over.wait(max(due_s - time.time(), 0.0)):
                return
            began_s = time.time()
            fault(self._stage)
            recovery_s = self._recovery_s()
            self.recoveries.append(Recovery(fault.__name__, began_s, time.time(), recovery_s))
            told = "no pose" if recovery_s is None else f"{recovery_s:.2f} s"
            print(f"{began_s - first_s:6.0f} s  {fault.__name__:22} {told}", flush=True)

    def _recovery_s(self) -> float | None:
        """Wait for the pose of an image that was taken after now; the time from the first such image that was sent."""
        now_ns, until_s = time.time_ns(), time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and self._stage.node.ended is None:
            time.sleep(0.02)
            pose = next((pose for pose in self._listener.poses[-1000:] if pose.stamp_ns > now_ns), None)
            if pose is not None:
                sent_ns = [stamp_ns for stamp_ns in self._listener.truths.copy() if stamp_ns > now_ns]
                return pose.arrived_s - 1e-9 * min([pose.stamp_ns, *sent_ns])
        return None


def _shuffled(faults: Sequence[Callable[[Stage], None]]) -> Iterator[Callable[[Stage], None]]:
    rng = random.Random(1)
    while True:
        yield from rng.sample(faults, len(faults))
