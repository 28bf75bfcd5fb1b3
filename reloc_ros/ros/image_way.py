"""The way of an image through a configured node: received, localized, judged, told."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Callable, Sequence

from rclpy.node import Node

from reloc_ros.localizer import Localized
from reloc_ros.ros.camera_stream import Arrived, CameraStream
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.control.relocalize_requests import RelocalizeRequests
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.input.image_outcome import ImageOutcome, failed_image
from reloc_ros.ros.input.initial_pose_input import InitialPoseInput
from reloc_ros.ros.input.mailbox import Mailbox
from reloc_ros.ros.input.second_looks import SecondLooks
from reloc_ros.ros.input.worker import Worker
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.pose_outputs import PoseOutputs
from reloc_ros.ros.output.status import StatusPublisher
from reloc_ros.ros.process import give_back_memory
from reloc_ros.ros.rig import Seen, localized
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.health import Health
from reloc_ros.stream.status import State, StatusMachine, Verdict


class ImageWay:
    """What a session does with images; `begin` and `end` are for the executor's thread."""

    def __init__(self, node: Node, given: Parameters, status: StatusPublisher, loaded: LoadedMap) -> None:
        self._node, self.given, self._status, self.loaded = node, given, status, loaded
        self._lock = threading.Lock()  # guards the status machine, and which map is in use
        self._telling = threading.Lock()  # held while the world is told of the images of one time
        self._machine = StatusMachine()
        self.health = Health()
        self.requests = RelocalizeRequests(node)
        self.outputs = PoseOutputs(node, given)
        self.streams = [CameraStream(node, camera, status) for camera in given.each_camera]
        self._admitted_s = -math.inf  # stamp of the image that was taken last
        self._mailbox: Mailbox[Arrived] | None = None
        self._worker: Worker[Arrived] | None = None
        self._second: SecondLooks[Arrived] | None = None
        self._tree: TfTree | None = None
        self._hints: InitialPoseInput | None = None

    def _begin(self, fail: Callable[[Exception], None]) -> None:
        """Listen and work; `fail` is called on a worker's thread, in an except clause, when it cannot go on."""
        self._mailbox = Mailbox(
            lambda image, late: image.stream.drop(late=late), self.given.camera_tolerance_s
        )
        first, second = (functools.partial(self._freeing, look) for look in (self._work_on, self._look_again))
        self._worker = Worker(self._mailbox, first, self._on_broken_images, fail)
        self._second = SecondLooks(second, _count_lost, self._on_broken_images, fail)
        for stream in self.streams:
            stream.listen(self.given, self._on_image)

    def _end(self) -> None:
        """Let the images in work finish."""
        self._worker.stop()
        self._second.stop()
        self._mailbox = self._worker = self._second = None

    def _on_image(self, arrived: Arrived) -> None:
        stamp_s = arrived.stamp_s
        with self._lock:
            self._machine.arrived(self._now_s())
        # Who goes with an image that is looked at is looked at, too.
        in_time = bool(self.given.rig) and abs(stamp_s - self._admitted_s) <= self.given.camera_tolerance_s
        if not (arrived.stream.limit.admits(time.monotonic()) or in_time):
            arrived.stream.counts.skipped += 1
            return
        self._admitted_s = stamp_s
        self._mailbox.put(arrived, arrived.stream.name, stamp_s)

    def _freeing(self, look: Callable[[Sequence[Arrived]], None], images: Sequence[Arrived]) -> None:
        """Look at images, and give back the map before where they were the last to need it."""
        before = id(self.loaded)
        look(images)
        if id(self.loaded) != before:
            give_back_memory()

    def _work_on(self, images: Sequence[Arrived]) -> None:
        """Called on the worker's thread, with the images of one time."""
        tree, given = self._tree, self.given  # the same for all of them
        with self._lock:
            loaded, believed = self.loaded, self._machine.last_good
        seen = localized(images, loaded, believed, given, self._hints, tree)
        again = loaded.has_second and seen.is_lost
        with self._telling:
            self._tell(images, seen, loaded, given, tree, undecided=again)
        if again:
            self._second.put(images)
        for image in images:
            loaded.of(image.stream.name).tracker.confirm()

    def _look_again(self, images: Sequence[Arrived]) -> None:
        """Called on the thread of second looks, with the images of one time in which the network was lost."""
        tree, given = self._tree, self.given
        with self._lock:
            loaded, believed = self.loaded, self._machine.last_good
        if not loaded.has_second or self._is_overtaken(images):
            return _count_lost(images)
        seen = localized(images, loaded.again, believed, given, self._hints, tree)
        with self._telling:
            if self._is_overtaken(images):
                return _count_lost(images)
            self._tell(images, seen, loaded, given, tree)

    def _is_overtaken(self, images: Sequence[Arrived]) -> bool:
        """Whether an image that is newer than these has given a pose."""
        with self._lock:
            return any(self._machine.is_overtaken(each.stamp_s, each.arrived_s) for each in images)

    def _tell(
        self,
        images: Sequence[Arrived],
        seen: Seen,
        loaded: LoadedMap,
        given: Parameters,
        tree: TfTree,
        undecided: bool = False,
    ) -> None:
        """Judge what the images of one time came to, and tell it; `undecided` where they will be looked at again."""
        outcome, stamp_s = seen.outcome, seconds_from_stamp(seen.outcome.header.stamp)
        with self._lock:
            judged, asked = self._judge(loaded, outcome, undecided), self.requests.asked()
        for image, one in zip(images, seen.outcomes, strict=True):
            found = isinstance(one.result, Localized) and loaded is self.loaded
            if not undecided:
                image.stream.count(image.message.header, found=found)
            if judged.publish and found and image.stream.name not in seen.refused:
                image.stream.remember(one, stamp_s)
        sent = self.outputs.send(outcome, judged, given, loaded, tree)
        verdict = sent.added_to(judged)
        told = {"loaded": loaded, "outcome": outcome, "transform": sent.transform.reason}
        status = self._status.publish(verdict, **told)
        if not undecided:
            found, age_s = isinstance(outcome.result, Localized), float(status.frame_age_s)
            self.health.add(time.monotonic(), latency_s=outcome.latency_s, age_s=age_s, found=found)
            self.requests.image(asked, verdict, sent.pose)
        for image, one in zip(images, seen.outcomes, strict=True):
            image.stream.tell(one, verdict, seen.refused, loaded, given, undecided)

    def _judge(self, loaded: LoadedMap, outcome: ImageOutcome, undecided: bool) -> Verdict:
        """Called under the lock."""
        if loaded is not self.loaded:
            return Verdict(State.LOST, False, "new_map", "another map came into use meanwhile")
        if isinstance(outcome.result, Localized):
            stamp_s = seconds_from_stamp(outcome.header.stamp)
            return self._machine.localized(outcome.result.camera_from_map, stamp_s, time.monotonic())
        if undecided:
            return self._machine.undecided(outcome.reason, outcome.detail)
        return self._machine.lost(outcome.reason, outcome.detail)

    def _on_broken_images(self, images: Sequence[Arrived], error: Exception) -> None:
        """Called on the thread that worked on them: the work on images of one time raised, which costs them."""
        outcome = failed_image(images[0].message.header, error)
        self._node.get_logger().warning(outcome.detail)
        for each in images:
            each.stream.count(each.message.header, found=False)
            each.stream.say(outcome.reason, outcome.detail, self.loaded)
        with self._lock:
            verdict, asked = self._machine.lost(outcome.reason, outcome.detail), self.requests.asked()
        self._status.publish(verdict, loaded=self.loaded, outcome=outcome)
        self.requests.image(asked, verdict, None)

    def _now_s(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9


def _count_lost(images: Sequence[Arrived]) -> None:
    """Images in which the network was lost will not be looked at again."""
    for each in images:
        each.stream.count(each.message.header, found=False)
