"""A configured node: its map and everything it publishes; while active, it listens and works as well."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from reloc_ros.localizer import Localized
from reloc_ros.ros.camera_stream import Arrived, CameraStream
from reloc_ros.ros.control.manager_bond import ManagerBond, bond_class
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.control.relocalize_requests import RelocalizeRequests
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.input.image_outcome import ImageOutcome, failed_image
from reloc_ros.ros.input.initial_pose_input import InitialPoseInput
from reloc_ros.ros.input.mailbox import Mailbox
from reloc_ros.ros.input.worker import Worker
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.debug_views import MapCloud
from reloc_ros.ros.output.pose_outputs import PoseOutputs
from reloc_ros.ros.output.status import StatusPublisher
from reloc_ros.ros.rig import localized
from reloc_ros.ros.tf.audience import others_listen
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.health import Health
from reloc_ros.stream.status import State, StatusMachine, Verdict

WATCH_PERIOD_S = 0.1
"""How often publishers, listeners and silence are looked at."""


class Session:
    """From configure to cleanup. Methods are for the executor's thread, unless they say otherwise."""

    def __init__(self, node: Node, given: Parameters, status: StatusPublisher) -> None:
        """Load the map.

        Raises:
            RelocError: what is given does not work.
        """
        self._node, self.given, self._status = node, given, status
        self.loaded = LoadedMap.load(given, given.bundle)
        self.loaded.tf_config(given)  # refuses what cannot be broadcast in this map
        if given.bond:
            bond_class()
        self._lock = threading.Lock()  # guards the status machine, and which map is in use
        self._machine = StatusMachine()
        self.health = Health()
        self.requests = RelocalizeRequests(node)
        self.outputs = PoseOutputs(node, given)
        self.cloud = MapCloud(node, self.loaded)
        self.streams = [CameraStream(node, camera, status) for camera in given.each_camera]
        self._admitted_s = -math.inf  # stamp of the image that was taken last
        self._mailbox: Mailbox[Arrived] | None = None
        self._worker: Worker[Arrived] | None = None
        self._tree: TfTree | None = None
        self._bond: ManagerBond | None = None
        self._hints: InitialPoseInput | None = None
        self._timer = None
        self.change_parameters(given)
        node.get_logger().info(str(self.loaded))

    @property
    def ignored(self) -> str:
        """What other nodes sent lately that could not be used, as a sentence; empty when nothing was."""
        tree = self._tree
        speakers = filter(None, (tree, self.outputs, self._hints))
        return "; ".join(filter(None, (speaker.problem for speaker in speakers)))

    @property
    def problem(self) -> str:
        """Of the subscriptions to the cameras, likewise."""
        return "; ".join(filter(None, (stream.problem for stream in self.streams)))

    @property
    def is_active(self) -> bool:
        return self._worker is not None

    def activate(self, fail: Callable[[Exception], None]) -> None:
        """Listen and work; `fail` is called on the worker's thread, in an except clause, when it cannot go on."""
        self._machine.forget()
        self.health.restart(time.monotonic())
        self._renew_tree()
        self._mailbox = Mailbox(
            lambda image, late: image.stream.drop(late=late), self.given.camera_tolerance_s
        )
        self._worker = Worker(self._mailbox, self._work_on, self._on_broken_images, fail)
        for stream in self.streams:
            stream.listen(self.given, self._on_image)
        if self.given.take_initial_pose:
            self._hints = InitialPoseInput(
                self._node, lambda: self.loaded.frame, self.outputs.has_told, self._forget
            )
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a simulated clock may stand still
        self._timer = self._node.create_timer(WATCH_PERIOD_S, self._watch, clock=steady)
        if self._bond is not None:
            self._bond.close()
        self._bond = ManagerBond(self._node) if self.given.bond else None
        topics = ", ".join(stream.input.topic for stream in self.streams)
        self._node.get_logger().info(f"images from {topics}")
        waiting = f"no image has arrived on {topics} yet"
        self._status.publish_idle("waiting_for_image", waiting, self.loaded)

    # The way of an image: received, localized, judged, published.

    def _on_image(self, arrived: Arrived) -> None:
        stamp_s = seconds_from_stamp(arrived.message.header.stamp)
        with self._lock:
            self._machine.arrived(self._now_s())
        # Who goes with an image that is looked at is looked at, too.
        in_time = bool(self.given.rig) and abs(stamp_s - self._admitted_s) <= self.given.camera_tolerance_s
        if not (arrived.stream.limit.admits(time.monotonic()) or in_time):
            arrived.stream.counts.skipped += 1
            return
        self._admitted_s = stamp_s
        self._mailbox.put(arrived, arrived.stream.name, stamp_s)

    def _work_on(self, images: Sequence[Arrived]) -> None:
        """Called on the worker's thread, with the images of one time."""
        tree, given = self._tree, self.given  # the same for all of them
        with self._lock:
            loaded, believed = self.loaded, self._machine.last_good
        seen = localized(images, loaded, believed, given, self._hints, tree)
        outcome, stamp_s = seen.outcome, seconds_from_stamp(seen.outcome.header.stamp)
        with self._lock:
            judged, asked = self._judge(loaded, outcome), self.requests.asked()
        for image, one in zip(images, seen.outcomes, strict=True):
            found = isinstance(one.result, Localized) and loaded is self.loaded
            image.stream.count(image.message.header, found=found)
            if judged.publish and found and image.stream.name not in seen.refused:
                image.stream.remember(one, stamp_s)
        sent = self.outputs.send(outcome, judged, given, loaded, tree)
        verdict = sent.added_to(judged)
        told = {"loaded": loaded, "outcome": outcome, "transform": sent.transform.reason}
        status = self._status.publish(verdict, **told)
        found, age_s = isinstance(outcome.result, Localized), float(status.frame_age_s)
        self.health.add(time.monotonic(), latency_s=outcome.latency_s, age_s=age_s, found=found)
        self.requests.image(asked, verdict, sent.pose)
        for image, one in zip(images, seen.outcomes, strict=True):
            image.stream.tell(one, verdict, seen.refused, loaded, given)
        for image in images:
            loaded.of(image.stream.name).tracker.confirm()

    def _judge(self, loaded: LoadedMap, outcome: ImageOutcome) -> Verdict:
        """Called on the worker's thread, under the lock."""
        if loaded is not self.loaded:
            return Verdict(State.LOST, False, "new_map", "another map came into use meanwhile")
        if isinstance(outcome.result, Localized):
            stamp_s = seconds_from_stamp(outcome.header.stamp)
            return self._machine.localized(outcome.result.camera_from_map, stamp_s)
        return self._machine.lost(outcome.reason, outcome.detail)

    def _on_broken_images(self, images: Sequence[Arrived], error: Exception) -> None:
        """Called on the worker's thread: the work on images of one time raised, which costs them."""
        outcome = failed_image(images[0].message.header, error)
        self._node.get_logger().warning(outcome.detail)
        for each in images:
            each.stream.count(each.message.header, found=False)
            each.stream.say(outcome.reason, outcome.detail, self.loaded)
        with self._lock:
            verdict = self._machine.lost(outcome.reason, outcome.detail)
        self._status.publish(verdict, loaded=self.loaded, outcome=outcome)

    # Beside the images: silence, and whether anybody listens.

    def _watch(self) -> None:
        self.requests.expire()
        self._status.tell_of_transform(self._tree.standing, self.loaded)
        self._status.tell_why_lost()
        self._listen_if_needed()
        for stream in self.streams:
            stream.watch(self.given.silence_timeout_s)
        if not self._is_listening:
            return
        with self._lock:
            verdict = self._machine.silence(self._now_s())
        if verdict is not None:
            self._status.publish(verdict, loaded=self.loaded)

    def _listen_if_needed(self) -> None:
        needed = not self.given.only_when_needed or self._is_needed()
        if needed == self._is_listening:
            return
        for stream in self.streams:
            stream.input.listen(needed)
        with self._lock:
            self._machine.forget()
            self._machine.arrived(self._now_s())
        reason, detail = "nobody_listens", "nobody listens, so no image is looked at"
        if needed:
            reason, detail = "waiting_for_image", "somebody listens again"
        self._status.publish_idle(reason, detail, self.loaded)

    @property
    def _is_listening(self) -> bool:
        return self.streams[0].input.is_listening

    def _is_needed(self) -> bool:
        views_wanted = any(stream.views.is_wanted for stream in self.streams)
        if len(self.requests) or self.outputs.is_wanted or views_wanted:
            return True
        return self.given.tf_mode != "none" and others_listen(self._node)

    def _now_s(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9

    # What may be asked for meanwhile.

    def change_parameters(self, given: Parameters) -> None:
        """Go by these parameters, of which those that may change at any time can differ."""
        self.given = given
        for stream in self.streams:
            stream.limit.max_rate_hz = given.max_rate_hz
        with self._lock:
            self._machine.config = self.loaded.status_config(given)
        self.outputs.configure(given, self.loaded)

    def change_map(self, loaded: LoadedMap) -> None:
        """Go on with another map.

        Raises:
            RelocError: what the node is to broadcast cannot be in this map; then nothing has changed.
        """
        loaded.tf_config(self.given)
        with self._lock:
            self.loaded = loaded
            self._machine.config = loaded.status_config(self.given)
            self._machine.forget()
        self.outputs.configure(self.given, loaded)
        self.cloud.show(loaded)
        if self._tree is not None:
            self._renew_tree()
        self._node.get_logger().info(str(loaded))
        self._status.publish_idle("new_map", "another map came into use", loaded)

    def set_publishing(self, wanted: bool) -> None:
        """Let poses and transforms out, or keep them in."""
        self.outputs.enabled = wanted
        if self._tree is not None:
            self._renew_tree()

    def relocalize(self, timeout_s: float) -> Future:
        """Forget where the camera was; a future whose result is the `Answer` of the images to come."""
        with self._lock:  # as one: no image is judged between the two
            self._machine.forget()
            future = self.requests.add(timeout_s)
        self._status.publish_idle("relocalizing", "asked to forget where the camera was", self.loaded)
        return future

    def _forget(self, why: str) -> None:
        """Look for the robot as if nothing had been known, map_odom included."""
        with self._lock:
            self._machine.forget()
        self._tree.forget()
        self._status.publish_idle("relocalizing", why, self.loaded)

    def _renew_tree(self) -> None:
        """A tree that broadcasts what it should now; map_odom goes on by itself until it is closed."""
        config = self.loaded.tf_config(self.given)
        if not self.outputs.enabled:
            config = dataclasses.replace(config, mode="none", listen=True)
        old = self._tree
        if old is None or old.config != config:
            self._tree = TfTree(self._node, config, old)

    # The end.

    def deactivate(self) -> None:
        """Stop listening, and let the image in work finish; does nothing when not active."""
        if self._bond is not None:
            self._bond.end()
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        for stream in self.streams:
            stream.deafen()
        if self._hints is not None:
            self._hints.close()
        if self._tree is not None:
            self._tree.close()  # before the worker, which may wait for a transform
        if self._worker is not None:
            self._worker.stop()
        self._mailbox = self._worker = self._tree = self._hints = None
        self.requests.close()

    def close(self) -> None:
        self.deactivate()
        if self._bond is not None:
            self._bond.close()
        self.outputs.close()
        self.cloud.close()
        for stream in self.streams:
            stream.close()
