"""The bag's time against that of the wall, told on /clock."""

from __future__ import annotations

import math
import time

from rclpy.publisher import Publisher
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from reloc_ros.stream.stop import Stop


class Stopped(Exception):
    """Somebody asked for the end."""


class BagClock:
    """It stands at the bag's start until it is started."""

    def __init__(
        self,
        publisher: Publisher | None,
        first_ns: int,
        rate: float,
        tick_hz: float,
        stopped: Stop,
    ) -> None:
        """Args: rate: seconds of the bag a second. publisher: of /clock; None: it is not told."""
        self._publisher, self._first_ns, self._rate, self._stopped = publisher, first_ns, rate, stopped
        self._period_s = 1 / tick_hz if publisher else math.inf
        self._started_s = math.inf
        self._next_tick_s = time.monotonic()

    def start(self) -> None:
        self._started_s = self._next_tick_s = time.monotonic()

    def due_s(self, stamp_ns: int) -> float:
        """When the bag's time is that, by time.monotonic()."""
        return self._started_s + (stamp_ns - self._first_ns) * 1e-9 / self._rate

    def run_until(self, stamp_ns: int, due_s: float) -> None:
        """Sleep until then, by absolute deadlines: being late once makes nothing later.

        Args:
            stamp_ns: what is told at most: never ahead of what is still to be sent.

        Raises:
            Stopped: somebody asked for the end meanwhile.
        """
        while True:
            now_s = time.monotonic()
            if now_s >= self._next_tick_s:
                elapsed_ns = round(max(0.0, now_s - self._started_s) * self._rate * 1e9)
                self.tick(min(self._first_ns + elapsed_ns, stamp_ns))
            if now_s >= due_s:
                return
            if self._stopped.wait(min(due_s, self._next_tick_s) - now_s):
                raise Stopped

    def tick(self, stamp_ns: int) -> None:
        self._next_tick_s = max(self._next_tick_s + self._period_s, time.monotonic())
        if self._publisher is not None:
            self._publisher.publish(Clock(clock=Time(nanoseconds=stamp_ns).to_msg()))
