"""A configured node: its map and everything it publishes; while active, it listens and works as well."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import Header

from reloc_ros.errors import first_line
from reloc_ros.geometry import SE3
from reloc_ros.localizer import Localized
from reloc_ros.ros.control.manager_bond import ManagerBond, bond_class
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.control.relocalize_requests import RelocalizeRequests
from reloc_ros.ros.conversions import seconds_from_stamp
from reloc_ros.ros.input.camera_input import CameraInput, ImageMessage
from reloc_ros.ros.input.image_outcome import ImageOutcome, localize_message
from reloc_ros.ros.input.initial_pose_input import InitialPoseInput
from reloc_ros.ros.input.worker import Worker
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.debug_views import DebugViews
from reloc_ros.ros.output.pose_outputs import PoseOutputs
from reloc_ros.ros.output.status import StatusPublisher
from reloc_ros.ros.tf.audience import others_listen
from reloc_ros.ros.tf.frame_pose import expected_pose, refused_if_tilted
from reloc_ros.ros.tf.tree import TfTree
from reloc_ros.stream.health import Health
from reloc_ros.stream.rate_limit import RateLimit
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
        self._counted: Header | None = None  # of the image that was counted last
        self.health = Health()
        self.requests = RelocalizeRequests(node)
        self.outputs = PoseOutputs(node, given)
        self.views = DebugViews(node, self.loaded)
        self.input: CameraInput | None = None
        self._limit = RateLimit()
        self._worker: Worker[ImageMessage] | None = None
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
    def is_active(self) -> bool:
        return self._worker is not None

    def activate(self, fail: Callable[[Exception], None]) -> None:
        """Listen and work; `fail` is called on the worker's thread, in an except clause, when it cannot go on."""
        self._machine.forget()
        self.health.restart(time.monotonic())
        self._renew_tree()
        self._worker = Worker(self._work_on, self._on_broken_image, fail)
        self.input = CameraInput(self._node, self.given, self._on_image)
        if self.given.take_initial_pose:
            self._hints = InitialPoseInput(
                self._node, lambda: self.loaded.frame, self.outputs.has_told, self._forget
            )
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a simulated clock may stand still
        self._timer = self._node.create_timer(WATCH_PERIOD_S, self._watch, clock=steady)
        if self._bond is not None:
            self._bond.close()
        self._bond = ManagerBond(self._node) if self.given.bond else None
        self._node.get_logger().info(f"images from {self.input.topic}")
        waiting = f"no image has arrived on {self.input.topic} yet"
        self._status.publish_idle("waiting_for_image", waiting, self.loaded)

    # The way of an image: received, localized, judged, published.

    def _on_image(self, message: ImageMessage) -> None:
        message.header.frame_id = message.header.frame_id.lstrip("/")  # as ROS 1 wrote it
        counts = self._status.counts
        counts.received += 1
        with self._lock:
            self._machine.arrived(self._now_s())
        if not self._limit.admits(time.monotonic()):
            counts.skipped += 1
            return
        before = self._worker.overtaken
        self._worker.put(message)
        counts.dropped += self._worker.overtaken - before

    def _work_on(self, message: ImageMessage) -> None:
        """Called on the worker's thread."""
        tree, given = self._tree, self.given  # the same for all of one image
        with self._lock:
            loaded, believed = self.loaded, self._machine.last_good
        last = believed if given.use_prior else None
        frame = given.camera_frame or message.header.frame_id

        def expected() -> SE3 | None:
            if believed is None and self._hints is not None:
                return self._hints.expected(message.header.stamp, frame, given.base_frame, tree)
            odometry = tree if loaded.is_metric else None  # which speaks of metres
            return last and expected_pose(last, message.header.stamp, frame, odometry)

        outcome = localize_message(message, loaded, self.input, last, expected)
        outcome = refused_if_tilted(outcome, given, tree) if given.planar else outcome
        with self._lock:
            verdict, asked = self._judge(loaded, outcome), self.requests.asked()
        sent = self.outputs.send(outcome, verdict, given, loaded, tree)
        verdict = sent.added_to(verdict)
        transform = sent.transform.reason
        status = self._status.publish(verdict, loaded=loaded, outcome=outcome, transform=transform)
        self.health.add(
            time.monotonic(),
            latency_s=outcome.latency_s,
            age_s=float(status.frame_age_s),
            found=isinstance(outcome.result, Localized),
        )
        self.requests.image(asked, verdict, sent.pose)
        self.views.show(outcome, verdict, loaded)
        loaded.tracker.confirm()

    def _judge(self, loaded: LoadedMap, outcome: ImageOutcome) -> Verdict:
        """Called on the worker's thread, under the lock."""
        counts, result, self._counted = self._status.counts, outcome.result, outcome.header
        if loaded is self.loaded and isinstance(result, Localized):
            counts.localized += 1
            return self._machine.localized(result.camera_from_map, seconds_from_stamp(outcome.header.stamp))
        counts.lost += 1
        if loaded is not self.loaded:
            return Verdict(State.LOST, False, "new_map", "another map came into use meanwhile")
        return self._machine.lost(outcome.reason, outcome.detail)

    def _on_broken_image(self, message: ImageMessage, error: Exception) -> None:
        """Called on the worker's thread: the work on one image raised, which costs that image."""
        reason, detail = (
            "image_failed",
            f"work on the image failed: {type(error).__name__}: {first_line(error)}",
        )
        self._node.get_logger().warning(detail)
        self._status.counts.lost += self._counted is not message.header
        with self._lock:
            verdict = self._machine.lost(reason, detail)
        outcome = ImageOutcome(message.header, None, None, reason, detail, math.nan)
        self._status.publish(verdict, loaded=self.loaded, outcome=outcome)

    # Beside the images: silence, and whether anybody listens.

    def _watch(self) -> None:
        self.requests.expire()
        self._status.tell_of_transform(self._tree.standing, self.loaded)
        self._status.tell_why_lost()
        self._listen_if_needed()
        self.input.follow()
        if not self.input.is_listening:
            return
        with self._lock:
            verdict = self._machine.silence(self._now_s())
        if verdict is not None:
            self._status.publish(verdict, loaded=self.loaded)

    def _listen_if_needed(self) -> None:
        needed = not self.given.only_when_needed or self._is_needed()
        if needed == self.input.is_listening:
            return
        self.input.listen(needed)
        with self._lock:
            self._machine.forget()
            self._machine.arrived(self._now_s())
        reason, detail = "nobody_listens", "nobody listens, so no image is looked at"
        if needed:
            reason, detail = "waiting_for_image", "somebody listens again"
        self._status.publish_idle(reason, detail, self.loaded)

    def _is_needed(self) -> bool:
        if len(self.requests) or self.outputs.is_wanted or self.views.is_wanted:
            return True
        return self.given.tf_mode != "none" and others_listen(self._node)

    def _now_s(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9

    # What may be asked for meanwhile.

    def change_parameters(self, given: Parameters) -> None:
        """Go by these parameters, of which those that may change at any time can differ."""
        self.given = given
        self._limit.max_rate_hz = given.max_rate_hz
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
        self.views.show_map(loaded)
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
        if old is not None and old.config == config:
            return
        self._tree = TfTree(self._node, config, old)

    # The end.

    def deactivate(self) -> None:
        """Stop listening, and let the image in work finish; does nothing when not active."""
        if self._bond is not None:
            self._bond.end()
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        if self.input is not None:
            self.input.close()
        if self._hints is not None:
            self._hints.close()
        if self._tree is not None:
            self._tree.close()  # before the worker, which may wait for a transform
        if self._worker is not None:
            before = self._worker.overtaken
            self._worker.stop()
            self._status.counts.dropped += self._worker.overtaken - before
        self.input = self._worker = self._tree = self._hints = None
        self.requests.close()

    def close(self) -> None:
        self.deactivate()
        if self._bond is not None:
            self._bond.close()
        self.outputs.close()
        self.views.close()
