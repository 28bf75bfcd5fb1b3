"""A node in a process of its own, and a peer in this one that talks to it over DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import lifecycle_msgs.msg
import lifecycle_msgs.srv
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from reloc_ros.msg import RelocStatus
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from table_bundle import CAMERA
from tf2_ros import Buffer, TransformListener

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import camera_info_from, image_from_pixels, se3_from_transform
from reloc_ros.ros.spinning import Spinning

EXECUTABLE = Path(__file__).parent.parent / "nodes" / "reloc_node"
DEADLINE_S = 90.0
FRAME = "camera_optical_frame"


def tracking(status: RelocStatus) -> bool:
    return status.state == RelocStatus.TRACKING


def publishing(status: RelocStatus) -> bool:
    return tracking(status) and status.pose_published


def lost_because(reason: str) -> Callable[[RelocStatus], bool]:
    return lambda status: (status.state, status.reason) == (RelocStatus.LOST, reason)


class NodeProcess:
    """The real executable, started as `ros2 run` would."""

    def __init__(
        self,
        parameters: Mapping[str, object],
        remap: Mapping[str, str],
        arguments: tuple[str, ...],
        log: Path,
    ) -> None:
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={_yaml(value)}")]
        words += [word for old, new in remap.items() for word in ("-r", f"{old}:={new}")]
        self._log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, str(EXECUTABLE), "--ros-args", *words, *arguments],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_for_its_code(self) -> None:
        """Until the executable's first lines have run: before, a signal meets python's own start, not ours."""
        status = Path(f"/proc/{self.process.pid}/status")
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
            if int(caught.split()[1], 16) & 1 << (
                signal.SIGTERM - 1
            ):  # python by itself catches SIGINT alone
                return
            time.sleep(0.01)
        raise TimeoutError(f"the node did not begin: {self.output}")

    def exit_code(self, timeout_s: float = DEADLINE_S) -> int:
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        self.signal(signal.SIGINT)
        return self.exit_code()

    @property
    def rss_mb(self) -> float:
        """Memory that it holds now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)


class Peer:
    """Publishes images and camera_info; keeps every pose and status the node sends."""

    def __init__(
        self, *, reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE, namespace: str = ""
    ) -> None:
        """Args: namespace: of the node that is listened to."""
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = Node("peer", context=self.context)
        self.statuses: list[RelocStatus] = []
        self.poses: list[PoseStamped] = []
        self.poses_with_covariance: list[PoseWithCovarianceStamped] = []
        self.tf = Buffer(node=self.node)
        self._listener = TransformListener(self.tf, self.node)
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(RelocStatus, f"{namespace}/reloc/status", self.statuses.append, latched)
        self.node.create_subscription(PoseStamped, f"{namespace}/reloc/pose", self.poses.append, 100)
        self.node.create_subscription(
            PoseWithCovarianceStamped,
            f"{namespace}/reloc/pose_with_covariance",
            self.poses_with_covariance.append,
            100,
        )
        self._clients: dict[str, rclpy.client.Client] = {}
        self._publishers: dict[tuple[type, str], rclpy.publisher.Publisher] = {}
        self.image_profile = QoSProfile(depth=5, reliability=reliability)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._spinning = Spinning(self._executor)

    def close(self) -> None:
        self._spinning.end()
        self.node.destroy_node()
        self.context.try_shutdown()

    def publisher(self, message_type: type, topic: str, profile: QoSProfile | None = None):
        key = message_type, topic
        if key not in self._publishers:
            # The default callback for a subscriber that does not fit warns by a deprecated call.
            events = PublisherEventCallbacks(use_default_callbacks=False)
            self._publishers[key] = self.node.create_publisher(
                message_type, topic, profile or self.image_profile, event_callbacks=events
            )
        return self._publishers[key]

    def wait_for_subscriber(self, message_type: type, topic: str) -> None:
        publisher = self.publisher(message_type, topic)
        self.wait_for(lambda: publisher.get_subscription_count() > 0, f"a subscriber of {topic}")

    def publish_camera(self, camera: Camera = CAMERA, topic: str = "/camera_info") -> None:
        self.publisher(CameraInfo, topic).publish(camera_info(camera, self.stamp()))

    def publish_image(
        self, pixels: np.ndarray, encoding: str = "bgr8", topic: str = "/image", stamp=None
    ) -> Image:
        message = image_from_pixels(pixels, Header(stamp=stamp or self.stamp(), frame_id=FRAME))
        message.encoding = encoding
        self.publisher(Image, topic).publish(message)
        return message

    def stamp(self):
        return self.node.get_clock().now().to_msg()

    def show(
        self, pixels: np.ndarray, until: Callable[[RelocStatus], bool], encoding: str = "bgr8"
    ) -> RelocStatus:
        """Publish the image, with its camera_info, over and over until a new status satisfies `until`."""
        before = len(self.statuses)
        deadline_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline_s:
            self.publish_camera()
            self.publish_image(pixels, encoding)
            time.sleep(0.05)
            for status in self.statuses[before:]:
                if until(status):
                    return status
        last = self.statuses[-1] if self.statuses else None
        raise AssertionError(f"no such status within {DEADLINE_S} s; the last one is {last}")

    def show_transform(
        self, pixels: np.ndarray, parent: str = "map", child: str = FRAME
    ) -> tuple[RelocStatus, SE3]:
        """Show the image until `parent_from_child` of its very time has come; the first may not reach this peer."""

        def has_come(status: RelocStatus) -> bool:
            when = Time.from_msg(status.header.stamp)
            is_told = status.state == RelocStatus.TRACKING and not status.transform
            return is_told and self.tf.can_transform(parent, child, when)

        status = self.show(pixels, has_come)
        transform = self.tf.lookup_transform(parent, child, Time.from_msg(status.header.stamp)).transform
        return status, se3_from_transform(transform)

    def show_pose(self, pixels: np.ndarray) -> tuple[RelocStatus, PoseStamped, PoseWithCovarianceStamped]:
        """Show the image until both poses of its very time have come."""

        def of(messages: list, status: RelocStatus) -> list:
            return [message for message in messages if message.header.stamp == status.header.stamp]

        def have_come(status: RelocStatus) -> bool:
            return bool(of(self.poses, status)) and bool(of(self.poses_with_covariance, status))

        status = self.show(pixels, have_come)
        return status, of(self.poses, status)[0], of(self.poses_with_covariance, status)[0]

    def wait_until_quiet(self, messages: list, quiet_s: float = 0.5) -> int:
        """Until none has come for so long, what was under way being here; how many there are."""
        count, since_s = len(messages), time.monotonic()

        def is_quiet() -> bool:
            nonlocal count, since_s
            if len(messages) != count:
                count, since_s = len(messages), time.monotonic()
            return time.monotonic() - since_s > quiet_s

        self.wait_for(is_quiet, "the end of the messages")
        return count

    def listen(self, message_type: type, topic: str, profile: QoSProfile | int = 10) -> list:
        """A list that grows with every message on the topic."""
        messages: list = []
        self.node.create_subscription(message_type, topic, messages.append, profile)
        return messages

    def stop_listening(self, *topics: str) -> None:
        """Give the subscriptions up, on the executor's thread: elsewhere it may be about to look at them."""

        def destroy() -> None:
            for subscription in list(self.node.subscriptions):
                if subscription.topic_name in topics:
                    self.node.destroy_subscription(subscription)

        task = self._executor.create_task(destroy)
        self.wait_for(task.done, "the end of the subscriptions")

    def listen_to_diagnostics(self) -> list[DiagnosticStatus]:
        """A list that grows with everything the node says of its health."""
        found: list[DiagnosticStatus] = []
        self.node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda message: found.extend(message.status), 10
        )
        return found

    def call(self, service_type: type, name: str, *, wait_s: float = 2 * DEADLINE_S, **fields):
        """Ask a service and wait for its answer."""
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self.node.create_client(service_type, name)
        assert client.wait_for_service(DEADLINE_S), f"{name} is not there"
        answer, came, until_s = [], threading.Event(), time.monotonic() + wait_s
        while not came.is_set():
            assert time.monotonic() < until_s, f"{name} did not answer within {wait_s} s"
            # An answer is dropped where the service has not found its client yet, as the client has found it.
            future = client.call_async(service_type.Request(**fields))
            future.add_done_callback(lambda done: (answer.append(done.result()), came.set()))
            came.wait(min(wait_s, DEADLINE_S))
        return answer[0]

    def change(self, transition: str, node: str = "/reloc") -> bool:
        """Ask for a lifecycle transition by its label; whether it was made."""
        label = lifecycle_msgs.msg.Transition(label=transition)
        return self.call(lifecycle_msgs.srv.ChangeState, f"{node}/change_state", transition=label).success

    def lifecycle(self, node: str = "/reloc") -> str:
        return self.call(lifecycle_msgs.srv.GetState, f"{node}/get_state").current_state.label

    def set_parameter(self, name: str, value: object, node: str = "/reloc") -> tuple[bool, str]:
        message = Parameter(name, value=value).to_parameter_msg()
        answer = self.call(SetParameters, f"{node}/set_parameters", parameters=[message])
        return answer.results[0].successful, answer.results[0].reason

    def wait_for(self, condition: Callable[[], bool], what: str, wait_s: float = DEADLINE_S) -> None:
        deadline_s = time.monotonic() + wait_s
        while not condition():
            if time.monotonic() > deadline_s:
                raise AssertionError(f"{what} did not come within {wait_s} s")
            time.sleep(0.01)

    def next_statuses(self, count: int) -> list[RelocStatus]:
        """The next so many of them."""
        before = len(self.statuses)
        self.wait_for(lambda: len(self.statuses) >= before + count, f"{count} statuses")
        return self.statuses[before : before + count]

    def wait_for_status(self, until: Callable[[RelocStatus], bool], what: str = "the status") -> RelocStatus:
        self.wait_for(lambda: any(until(status) for status in self.statuses), what)
        return next(status for status in self.statuses if until(status))


def camera_info(camera: Camera, stamp=None) -> CameraInfo:
    return camera_info_from(camera, Header(stamp=stamp or Time().to_msg(), frame_id=FRAME))
