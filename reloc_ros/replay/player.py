"""Play a bag: its raw messages on their topics, at the times they were recorded at, with the clock of then."""

from __future__ import annotations

import dataclasses
import logging
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock

from reloc_ros.io.bag import Bag, RawMessage, Recorded
from reloc_ros.replay.bag_clock import BagClock, Stopped
from reloc_ros.replay.options import ReplayOptions
from reloc_ros.replay.topics import chosen_topics, is_latched, message_class
from reloc_ros.ros.input.transport import room_for_large_messages
from reloc_ros.stream.stop import Stop

logger = logging.getLogger(__name__)
ACKNOWLEDGED_TIMEOUT_S = 5.0
"""Until what was sent last must have arrived."""
QUEUE_DEPTH = 10
"""At least; what is more behind than that is lost."""
SETTLE_S = 1.0
"""Nobody new has begun to listen for so long: all have."""
LATCHED_DEPTH = 1000
"""At most, of what is kept for those who come late."""


@dataclasses.dataclass(frozen=True)
class Played:
    """What was done."""

    messages: int
    stopped: bool
    worst_delay_s: float
    """How late a message was sent at most."""


def replay(path: Path, options: ReplayOptions, progress: Callable[[str, int, int], None]) -> Played:
    """Play the bag to its end, or until SIGINT or SIGTERM.

    Args:
        progress: called as progress(phase, done, total), in seconds.

    Raises:
        RelocError: no readable bag, or nothing in it to play.
    """
    stopped = Stop()
    with Bag(path) as bag:
        chosen = chosen_topics(bag, options)
        before = {n: signal.signal(n, stopped.set) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            with room_for_large_messages():
                rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
                player = Player(bag, chosen, options, stopped, progress)
            return player.play()
        finally:
            rclpy.try_shutdown()
            for number, handler in before.items():  # who has stopped it once may do so again while it ends
                signal.signal(number, signal.SIG_IGN if stopped.is_set() else handler)


class Player(Node):
    """Holds the publishers; one thread does all."""

    def __init__(
        self,
        bag: Bag,
        chosen: Mapping[str, Recorded],
        options: ReplayOptions,
        stopped: Stop,
        progress: Callable[[str, int, int], None],
    ) -> None:
        super().__init__("reloc_replay", enable_rosout=False, start_parameter_services=False)
        self._bag, self._chosen, self._options, self._stopped = bag, chosen, options, stopped
        self._progress = progress
        self._sent, self._worst_delay_s = 0, 0.0
        self._topic_publishers = {
            topic: self._publisher(recorded, options.remap.get(topic, topic))
            for topic, recorded in chosen.items()
        }
        self._first_ns = bag.start_ns + round(options.start_s * 1e9)
        ticks = self.create_publisher(Clock, "/clock", QUEUE_DEPTH) if options.clock_hz else None
        self._bag_clock = BagClock(ticks, self._first_ns, options.rate, options.clock_hz, stopped)

    def play(self) -> Played:
        stopped = False
        try:
            self._wait_for_listeners()
            self._play_what_was_latched()
            self._play_once()
            while self._options.loop:
                self._play_once()
            self._wait_until_received()
        except Stopped:
            stopped = True
        return Played(self._sent, stopped, self._worst_delay_s)

    def _publisher(self, recorded: Recorded, topic: str) -> Publisher:
        # Reliable even where the recorded publisher was not: every subscription accepts that, and large images sent
        # by best effort are mostly lost on the default transport.
        profile = QoSProfile(depth=max(recorded.depth, QUEUE_DEPTH))
        if is_latched(recorded):  # all that several latched publishers keep
            profile.depth = max(profile.depth, min(recorded.count, LATCHED_DEPTH))
            profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
        return self.create_publisher(message_class(recorded.message_type), topic, profile)

    def _wait_for_listeners(self) -> None:
        """Until somebody listens, and for a moment nobody new; meanwhile the clock stands at the start."""
        self._progress("wait for listeners", 0, 1)
        listeners, changed_s = 0, time.monotonic()
        deadline_s = changed_s + self._options.wait_s
        while (now_s := time.monotonic()) < deadline_s:
            found = sum(p.get_subscription_count() for p in self._topic_publishers.values())
            if found != listeners:
                listeners, changed_s = found, now_s
            if listeners and now_s - changed_s >= SETTLE_S and self._is_there(self._options.wait_for):
                return
            self._bag_clock.run_until(self._first_ns, now_s + 0.05)
        if self._options.wait_s:
            missing = "nobody listens" if not listeners else f"{self._options.wait_for} does not listen"
            logger.warning("%s to what is played", missing)

    def _is_there(self, node: str) -> bool:
        listeners = (
            info
            for publisher in self._topic_publishers.values()
            for info in self.get_subscriptions_info_by_topic(publisher.topic_name)
        )
        names = {f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in listeners}
        return not node or f"/{node.strip('/')}" in names

    def _play_what_was_latched(self) -> None:
        """What was said once, before the start, still holds: /tf_static above all."""
        latched = [topic for topic, recorded in self._chosen.items() if is_latched(recorded)]
        for message in self._bag.messages(latched, None, self._first_ns):
            self._send(message)

    def _play_once(self) -> None:
        clock = self._bag_clock
        clock.start()
        told_s, length_s = -1, int((self._bag.end_ns - self._first_ns) * 1e-9)
        for message in self._bag.messages(self._chosen, self._first_ns):
            due_s = clock.due_s(message.stamp_ns)
            clock.run_until(message.stamp_ns, due_s)
            self._worst_delay_s = max(self._worst_delay_s, time.monotonic() - due_s)
            self._send(message)
            if (played_s := int((message.stamp_ns - self._first_ns) * 1e-9)) != told_s:
                told_s = played_s
                self._progress("play, seconds", played_s, length_s)
        clock.run_until(self._bag.end_ns, clock.due_s(self._bag.end_ns))
        clock.tick(self._bag.end_ns)

    def _send(self, message: RawMessage) -> None:
        if self._stopped.is_set():
            raise Stopped
        self._topic_publishers[message.topic].publish(message.data)
        self._sent += 1

    def _wait_until_received(self) -> None:
        """Nothing sent may be lost with this process."""
        deadline_s = time.monotonic() + ACKNOWLEDGED_TIMEOUT_S
        for publisher in self._topic_publishers.values():
            left_s = max(0.0, deadline_s - time.monotonic())
            publisher.wait_for_all_acked(Duration(seconds=left_s))
