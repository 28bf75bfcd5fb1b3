"""Play a bag: its raw messages on their topics, at the times they were recorded at, with the clock of then."""

from __future__ import annotations

import dataclasses
import importlib
import logging
import math
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from rclpy.validate_topic_name import validate_topic_name
from rosgraph_msgs.msg import Clock

from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag, RawMessage, Recorded
from reloc_ros.ros.input.transport import room_for_large_messages

logger = logging.getLogger(__name__)
LAST_WORDS_S = 5.0
"""Until what was sent last must have arrived."""
QUEUE_DEPTH = 10
"""At least; what is more behind than that is lost."""
SETTLE_S = 1.0
"""Nobody new has begun to listen for so long: all have."""
LATCHED_DEPTH = 1000
"""At most, of what is kept for those who come late."""


@dataclasses.dataclass(frozen=True)
class ReplayOptions:
    """How to play."""

    rate: float = 1.0
    """Seconds of the bag a second."""
    loop: bool = False
    start_s: float = 0.0
    """From the start of the bag."""
    topics: tuple[str, ...] = ()
    """Only these; empty: all."""
    remap: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Recorded name to played name."""
    clock_hz: float = 100.0
    """Rate of /clock; 0: none."""
    wait_s: float = 10.0
    """Longest wait for somebody who listens, before the first message."""
    wait_for: str = ""
    """The node that must be among them, by its full name; empty: anybody."""

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1000:
            raise RelocError(f"rate must be above 0 and at most 1000, got {self.rate}")
        for name, limit in (("start_s", 1e9), ("clock_hz", 10_000), ("wait_s", 3600)):
            if not 0 <= getattr(self, name) <= limit:
                raise RelocError(f"{name} must be from 0 to {limit:g}, got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class Played:
    """What was done."""

    messages: int
    rounds: int
    """The one that was stopped included."""
    stopped: bool
    worst_delay_s: float
    """How late a message was sent at most."""


class _Stopped(Exception):
    """Somebody asked for the end."""


def replay(path: Path, options: ReplayOptions) -> Played:
    """Play the bag to its end, or until SIGINT or SIGTERM.

    Raises:
        RelocError: no readable bag, or nothing in it to play.
    """
    stopped = threading.Event()
    with Bag(path) as bag:
        chosen = _choose(bag, options)
        before = {n: signal.signal(n, lambda *_: stopped.set()) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            with room_for_large_messages():
                rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
                player = Player(bag, chosen, options, stopped)
            return player.play()
        finally:
            rclpy.try_shutdown()
            for number, handler in before.items():
                signal.signal(number, handler)


class Player(Node):
    """Holds the publishers; one thread does all."""

    def __init__(
        self, bag: Bag, chosen: Mapping[str, Recorded], options: ReplayOptions, stopped: threading.Event
    ) -> None:
        super().__init__("reloc_replay", enable_rosout=False, start_parameter_services=False)
        self._bag, self._options, self._stopped = bag, options, stopped
        self._chosen = chosen
        self._sent = self._rounds = 0
        self._worst_delay_s = 0.0
        self._players = {
            topic: self._publisher(recorded, options.remap.get(topic, topic))
            for topic, recorded in chosen.items()
        }
        self._clock = self.create_publisher(Clock, "/clock", QUEUE_DEPTH) if options.clock_hz else None
        self._first_ns = bag.start_ns + round(options.start_s * 1e9)

    def play(self) -> Played:
        stopped = False
        try:
            self._wait_for_others()
            self._play_what_was_latched()
            while True:
                self._rounds += 1
                self._play_once()
                if not self._options.loop:
                    break
            self._wait_until_received()
        except _Stopped:
            stopped = True
        return Played(self._sent, self._rounds, stopped, self._worst_delay_s)

    def _publisher(self, recorded: Recorded, topic: str) -> Publisher:
        # Reliable even where the recorded publisher was not: every subscription accepts that, and large images sent
        # by best effort are mostly lost on the default transport.
        depth = max(recorded.depth, QUEUE_DEPTH)
        profile = QoSProfile(depth=depth)
        if _is_latched(recorded):  # all that several latched publishers keep
            profile = QoSProfile(
                depth=max(depth, min(recorded.count, LATCHED_DEPTH)),
                durability=DurabilityPolicy.TRANSIENT_LOCAL,
            )
        return self.create_publisher(_message_class(recorded.message_type), topic, profile)

    def _wait_for_others(self) -> None:
        """Until somebody listens, and for a moment nobody new; meanwhile the clock stands at the start."""
        self._started_s, self._next_tick_s = math.inf, time.monotonic()
        listeners, changed_s = 0, time.monotonic()
        deadline_s = changed_s + self._options.wait_s
        while (now_s := time.monotonic()) < deadline_s:
            found = sum(publisher.get_subscription_count() for publisher in self._players.values())
            if found != listeners:
                listeners, changed_s = found, now_s
            if listeners and now_s - changed_s >= SETTLE_S and self._is_there(self._options.wait_for):
                return
            self._run_clock_until(self._first_ns, now_s + 0.05)
        if self._options.wait_s:
            missing = "nobody listens" if not listeners else f"{self._options.wait_for} does not listen"
            logger.warning("%s to what is played", missing)

    def _is_there(self, node: str) -> bool:
        listeners = (
            info
            for publisher in self._players.values()
            for info in self.get_subscriptions_info_by_topic(publisher.topic_name)
        )
        names = {f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in listeners}
        return not node or f"/{node.strip('/')}" in names

    def _play_what_was_latched(self) -> None:
        """What was said once, before the start, still holds: /tf_static above all."""
        latched = [topic for topic, recorded in self._chosen.items() if _is_latched(recorded)]
        for message in self._bag.messages(latched, None, self._first_ns):
            self._send(message)

    def _play_once(self) -> None:
        self._started_s = self._next_tick_s = time.monotonic()
        for message in self._bag.messages(self._chosen, self._first_ns):
            self._run_clock_until(message.stamp_ns, self._due_s(message.stamp_ns))
            self._worst_delay_s = max(self._worst_delay_s, time.monotonic() - self._due_s(message.stamp_ns))
            self._send(message)
        self._run_clock_until(self._bag.end_ns, self._due_s(self._bag.end_ns))
        self._tick(self._bag.end_ns)

    def _run_clock_until(self, stamp_ns: int, due_s: float) -> None:
        """Sleep until then, by absolute deadlines: being late once makes nothing later."""
        while True:
            now_s = time.monotonic()
            if now_s >= self._next_tick_s:
                elapsed_ns = round(max(0.0, now_s - self._started_s) * self._options.rate * 1e9)
                self._tick(
                    min(self._first_ns + elapsed_ns, stamp_ns)
                )  # never ahead of what is still to be sent
            if now_s >= due_s:
                return
            if self._stopped.wait(min(due_s, self._next_tick_s) - now_s):
                raise _Stopped

    def _due_s(self, stamp_ns: int) -> float:
        return self._started_s + (stamp_ns - self._first_ns) * 1e-9 / self._options.rate

    def _tick(self, stamp_ns: int) -> None:
        if self._clock is None:
            self._next_tick_s = math.inf
            return
        self._clock.publish(Clock(clock=Time(nanoseconds=stamp_ns).to_msg()))
        period_s = 1 / self._options.clock_hz
        self._next_tick_s = max(self._next_tick_s + period_s, time.monotonic())

    def _send(self, message: RawMessage) -> None:
        if self._stopped.is_set():
            raise _Stopped
        self._players[message.topic].publish(message.data)
        self._sent += 1

    def _wait_until_received(self) -> None:
        """Nothing sent may be lost with this process."""
        deadline_s = time.monotonic() + LAST_WORDS_S
        for publisher in self._players.values():
            left_s = max(0.0, deadline_s - time.monotonic())
            publisher.wait_for_all_acked(Duration(seconds=left_s))


def _choose(bag: Bag, options: ReplayOptions) -> dict[str, Recorded]:
    """The topics to play; those whose type is not installed here are left out, and named."""
    recorded = bag.topics()
    for topic in (*options.topics, *options.remap):
        if topic not in recorded:
            raise RelocError(
                f"the bag {bag.path} has no topic {topic}; it has {', '.join(recorded) or 'none'}"
            )
    for new in options.remap.values():
        try:
            validate_topic_name(new)
        except InvalidTopicNameException as error:
            raise RelocError(f"{new!r} is not a topic name: {str(error).splitlines()[0]}") from error
    chosen = {t: r for t, r in recorded.items() if (not options.topics or t in options.topics) and r.count}
    if options.clock_hz and options.remap.get("/clock", "/clock") == "/clock":
        chosen.pop("/clock", None)  # two clocks would run against each other
    for topic, each in list(chosen.items()):
        if _message_class(each.message_type) is None:
            logger.warning("%s is not played: its type %s is not installed", topic, each.message_type)
            del chosen[topic]
    if not chosen:
        raise RelocError(f"the bag {bag.path} has no messages to play")
    if options.start_s > bag.duration_s:
        raise RelocError(f"the bag is {bag.duration_s:.1f} s long; it cannot start at {options.start_s:g} s")
    return chosen


def _message_class(message_type: str) -> type | None:
    package, _, name = message_type.replace("/", ".").rpartition(".")
    try:
        return getattr(importlib.import_module(package), name, None)
    except ImportError:
        return None


def _is_latched(recorded: Recorded) -> bool:
    if recorded.latched is None:
        return recorded.topic.endswith("/tf_static")
    return recorded.latched
