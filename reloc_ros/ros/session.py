"""A configured node: its map and everything it publishes; while active, it listens and works as well."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from reloc_ros.ros.control.manager_bond import ManagerBond, bond_class
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.image_way import ImageWay
from reloc_ros.ros.input.initial_pose_input import InitialPoseInput
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.output.debug_views import MapCloud
from reloc_ros.ros.output.status import StatusPublisher
from reloc_ros.ros.process import give_back_memory
from reloc_ros.ros.tf.audience import others_listen
from reloc_ros.ros.tf.tree import TfTree

WATCH_PERIOD_S = 0.1
"""How often publishers, listeners and silence are looked at."""


class Session(ImageWay):
    """From configure to cleanup. Methods are for the executor's thread, unless they say otherwise."""

    def __init__(self, node: Node, given: Parameters, status: StatusPublisher) -> None:
        """Load the map.

        Raises:
            RelocError: what is given does not work.
        """
        loaded = LoadedMap.load(given, given.bundle)
        loaded.tf_config(given)  # refuses what cannot be broadcast in this map
        if given.bond:
            bond_class()
        super().__init__(node, given, status, loaded)
        self.cloud = MapCloud(node, self.loaded)
        self._bond: ManagerBond | None = None
        self._timer = None
        self.change_parameters(given)
        node.get_logger().info(str(self.loaded))
        give_back_memory()

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
        """Listen and work; `fail` is called on the worker's thread, in an except clause, when it cannot go on.

        Raises:
            RelocError: what is given does not work; then nothing is at work.
        """
        try:
            self._activate(fail)
        except Exception:
            self.deactivate()
            raise
        topics = ", ".join(stream.input.topic for stream in self.streams)
        self._node.get_logger().info(f"images from {topics}")
        waiting = f"no image has arrived on {topics} yet"
        self._status.publish_idle("waiting_for_image", waiting, self.loaded)

    def _activate(self, fail: Callable[[Exception], None]) -> None:
        self._machine.forget()
        self.health.restart(time.monotonic())
        self._renew_tree()
        self._begin(fail)
        if self.given.take_initial_pose:
            self._hints = InitialPoseInput(
                self._node, lambda: self.loaded.frame, self.outputs.has_told, self._forget
            )
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a simulated clock may stand still
        self._timer = self._node.create_timer(WATCH_PERIOD_S, self._watch, clock=steady)
        if self._bond is not None:
            self._bond.close()
        self._bond = ManagerBond(self._node) if self.given.bond else None

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
        if needed != self._is_listening:
            for stream in self.streams:
                stream.input.listen(needed)
            with self._lock:
                self._machine.forget()
                self._machine.arrived(self._now_s())
            if needed:
                self._say("waiting_for_image", "somebody listens again")
        said = [self._status.last, *(stream.status.last for stream in self.streams if stream.status)]
        if not needed and any(status.reason != "nobody_listens" for status in said):
            # Again after an image that was in work then, which is told of once it is done.
            self._say("nobody_listens", "nobody listens, so no image is looked at")

    def _say(self, reason: str, detail: str) -> None:
        """Of the robot, and of each camera where it has several."""
        self._status.publish_idle(reason, detail, self.loaded)
        for stream in self.streams:
            stream.say(reason, detail, self.loaded)

    @property
    def _is_listening(self) -> bool:
        return self.streams[0].input.is_listening

    def _is_needed(self) -> bool:
        views_wanted = any(stream.views.is_wanted for stream in self.streams)
        if len(self.requests) or self.outputs.is_wanted or views_wanted:
            return True
        return self.given.tf_mode != "none" and others_listen(self._node)

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
        give_back_memory()

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
        if self.is_active:
            self._end()
            for stream in self.streams:
                stream.say("not_active", "the node was deactivated")
        self._tree = self._hints = None
        self.requests.close()

    def close(self) -> None:
        self.deactivate()
        if self._bond is not None:
            self._bond.close()
        self.outputs.close()
        self.cloud.close()
        for stream in self.streams:
            stream.close()
