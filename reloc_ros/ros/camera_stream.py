"""One camera of the robot: its images, what they come to, and what is said of that."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping

from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from reloc_ros.geometry import SE3
from reloc_ros.localizer import Localized
from reloc_ros.ros.control.camera_parameters import CameraParameters
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.input.bursts import Bursts
from reloc_ros.ros.input.camera_input import CameraInput, ImageMessage
from reloc_ros.ros.input.image_outcome import ImageOutcome, localize_message
from reloc_ros.ros.input.initial_pose_input import InitialPoseInput
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.debug_views import DebugViews
from reloc_ros.ros.output.status import StatusPublisher
from reloc_ros.ros.tf.config import TfOutcome
from reloc_ros.ros.tf.frame_pose import expected_pose
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.health import Health
from reloc_ros.stream.rate_limit import RateLimit
from reloc_ros.stream.status import StampedPose, State, Verdict

_IN_BURSTS = (
    "images of {} come in bursts, several at once after a while without any, so many are overtaken; give a camera "
    "driver on this computer under Fast DDS shared memory (segment_size) larger than its images, see docs/node.md"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Arrived:
    """An image on its way."""

    stream: CameraStream
    message: ImageMessage
    arrived_s: float
    """By a clock that is never set."""

    @property
    def stamp_s(self) -> float:
        return seconds_from_stamp(self.message.header.stamp)


class CameraStream:
    """From configure to cleanup; `input` is there once the node was activated."""

    def __init__(self, node: Node, camera: CameraParameters, status: StatusPublisher) -> None:
        """Args: status: of the node, where the images of all cameras are counted."""
        self._node, self._camera = node, camera
        self.name = camera.name
        """Empty where it is the only one: then the node's status is its own."""
        self.counts = status.counts_of(camera.name)
        self.status = StatusPublisher(node, camera.name, self.counts) if camera.name else None
        self.views = DebugViews(node, camera.name)
        self.health = Health()
        self._bursts = Bursts()
        self.limit = RateLimit()
        self.input: CameraInput | None = None
        self._counting = threading.Lock()
        self._counted: Header | None = None
        self._failures = 0
        self._last: tuple[StampedPose, float] | None = None
        self._arrived_s: float | None = None

    def listen(self, given: Parameters, on_image: Callable[[Arrived], None]) -> None:
        """Subscribe; called on the executor's thread with every image."""
        own = given.of(self._camera)
        self.input = CameraInput(
            self._node, own, lambda message: self._on_image(message, on_image), self._camera
        )
        self.health.restart(time.monotonic())
        self._arrived_s = self._last = None
        self.say("waiting_for_image", f"no image has arrived on {self.input.topic} yet")

    def deafen(self) -> None:
        """Listen no more; the image in work may still ask `input`."""
        if self.input is not None:
            self.input.close()

    def close(self) -> None:
        self.views.close()
        if self.status is not None:
            self.status.close()

    def say(self, reason: str, detail: str, loaded: LoadedMap | None = None) -> None:
        """Why no image is looked at, or why one was not, where this camera has a status of its own."""
        if self.status is not None:
            self.status.publish_idle(reason, detail, loaded)

    def drop(self, *, late: bool) -> None:
        """One of its images will not be looked at; called by one thread at a time."""
        self.counts.dropped += 1
        if late and self.status is not None:
            state = min(State(self.status.last.state), State.DEGRADED)
            detail = "it came after a newer image of another camera had been looked at"
            self.status.publish(Verdict(state, False, "stamp_not_newer", detail))

    @property
    def problem(self) -> str:
        """Of the subscriptions, as a sentence; empty when there is none."""
        return self.input.problem if self.input is not None else ""

    def watch(self, timeout_s: float) -> None:
        """Call it now and then: says so, once, when images have stopped that others still send."""
        self.input.follow()
        quiet_s = 0.0 if self._arrived_s is None else time.monotonic() - self._arrived_s
        if quiet_s > timeout_s and self.input.is_listening:
            self._arrived_s = None
            self.say("images_stopped", f"no image has arrived for {quiet_s:.1f} s")

    def frame(self, given: Parameters, header: Header) -> str:
        """The camera's optical frame."""
        return (self._camera.camera_frame or given.camera_frame).lstrip("/") or header.frame_id

    def _on_image(self, message: ImageMessage, on_image: Callable[[Arrived], None]) -> None:
        message.header.frame_id = message.header.frame_id.lstrip("/")  # as ROS 1 wrote it
        self.counts.received += 1
        self._arrived_s = time.monotonic()
        arrived = Arrived(self, message, self._arrived_s)
        if self._bursts.add(arrived.arrived_s, arrived.stamp_s):
            self._node.get_logger().warning(_IN_BURSTS.format(self.input.topic))
        on_image(arrived)

    # On the worker's thread.

    def localize(
        self,
        message: ImageMessage,
        loaded: LoadedMap,
        given: Parameters,
        believed: StampedPose | None,
        hints: InitialPoseInput | None,
        tree: TfTree,
    ) -> ImageOutcome:
        """What an image comes to.

        Args:
            loaded: as this camera has it.
            believed: the last pose that counted: of one of several cameras, that of the robot's base.
            hints: what a person said of where the robot is.
        """
        stamp, frame = message.header.stamp, self.frame(given, message.header)
        last = self._own(believed, frame, given, tree) if given.use_prior else None

        def expected() -> SE3 | None:
            if believed is None and hints is not None:
                return hints.expected(stamp, frame, given.base_frame, tree)
            odometry = tree if loaded.is_metric else None  # which speaks of metres
            return last and expected_pose(last, stamp, frame, odometry)

        return localize_message(message, loaded, self.input, last, expected)

    def count(self, header: Header, *, found: bool) -> None:
        """Count an image that was looked at, once."""
        with self._counting:  # images are looked at by two threads
            if self._counted is not header:
                self.counts.localized += found
                self.counts.lost += not found
            self._counted = header

    def tell(
        self,
        outcome: ImageOutcome,
        robot: Verdict,
        refused: Mapping[str, TfOutcome],
        loaded: LoadedMap,
        given: Parameters,
        undecided: bool = False,
    ) -> None:
        """Say what became of an image.

        Args:
            robot: the verdict on all images of that time.
            refused: by camera, why its pose is no part of the robot's.
            undecided: whether it will be looked at again, and counts then.
        """
        loaded, refusal = loaded.of(self.name), refused.get(self.name)
        verdict = robot if self.status is None else self._verdict(outcome, robot, refusal, given, undecided)
        if self.status is not None:
            status = self.status.publish(verdict, loaded=loaded, outcome=outcome)
            if not undecided:
                found, age_s = isinstance(outcome.result, Localized), float(status.frame_age_s)
                self.health.add(time.monotonic(), latency_s=outcome.latency_s, age_s=age_s, found=found)
        self.views.show(outcome, verdict, loaded)

    def remember(self, outcome: ImageOutcome, robot_stamp_s: float) -> None:
        """The pose of this image is part of the robot's of that time, which counts."""
        stamp_s = seconds_from_stamp(outcome.header.stamp)
        self._last = StampedPose(outcome.result.camera_from_map, stamp_s), robot_stamp_s

    def _own(
        self, believed: StampedPose | None, frame: str, given: Parameters, tree: TfTree
    ) -> StampedPose | None:
        """This camera's last pose, by that of the robot where it had no part in it."""
        if believed is None or self.status is None:
            return believed
        if self._last is not None and self._last[1] == believed.stamp_s:
            return self._last[0]
        then = Time(nanoseconds=round(believed.stamp_s * 1e9)).to_msg()
        camera_from_base = tree.lookup(frame, given.base_frame, then)
        if isinstance(camera_from_base, TfOutcome):
            return None
        return StampedPose(camera_from_base @ believed.camera_from_map, believed.stamp_s)

    def _verdict(
        self,
        outcome: ImageOutcome,
        robot: Verdict,
        refusal: TfOutcome | None,
        given: Parameters,
        undecided: bool,
    ) -> Verdict:
        is_good = refusal is None and isinstance(outcome.result, Localized)
        if not undecided:
            self._failures = 0 if is_good else self._failures + 1
        if is_good:
            return robot
        is_lost = robot.state is State.LOST or self._failures >= given.lost_after
        reason, detail = (refusal.reason, refusal.detail) if refusal else (outcome.reason, outcome.detail)
        return Verdict(State.LOST if is_lost else State.DEGRADED, False, reason, detail)
