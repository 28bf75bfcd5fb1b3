"""What waits for the worker: the newest image of each camera, handed on together with those of its time."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
LATE_S = 1.0
"""An image that is older by less than that came late; by more, its clock is another or a recording started over."""
PATIENCE_S = 0.05
"""For the other images of an image's time, once their cameras were seen to go with it."""


@dataclasses.dataclass(eq=False)
class _Waiting(Generic[Item]):
    item: Item
    stamp_s: float
    since_s: float
    """When its sender's turn began, real time."""


class Mailbox(Generic[Item]):
    """Room for one item of each sender: older ones are overtaken, never queued. May be used from several threads.

    Senders take turns. Whose items are of one time is learnt: those are waited for, until that was in vain.
    """

    def __init__(self, overtaken: Callable[[Item, bool], None], tolerance_s: float = 0.0) -> None:
        """Open it.

        Args:
            overtaken: called, one call at a time, with an item that nobody will take, and whether it came after a newer
                one of another sender had been taken.
            tolerance_s: stamps that differ by no more are of one time.
        """
        self._overtaken, self._tolerance_s = overtaken, tolerance_s
        self._changed = threading.Condition()
        self._waiting: dict[str, _Waiting[Item]] = {}
        self._in_step: set[str] = set()
        self._taken: set[str] = set()  # senders of what was taken last
        self._taken_s = -float("inf")
        self._closed = False

    def put(self, item: Item, sender: str = "", stamp_s: float = 0.0) -> None:
        with self._changed:
            if self._closed:
                self._overtaken(item, False)
                return
            before = self._waiting.get(sender)
            if before is not None:
                self._overtaken(before.item, False)
            since_s = before.since_s if before else time.monotonic()
            self._waiting[sender] = _Waiting(item, stamp_s, since_s)
            if sender not in self._taken and abs(stamp_s - self._taken_s) <= self._tolerance_s:
                self._in_step |= {sender, *self._taken}
            self._changed.notify()

    def take(self) -> list[Item]:
        """Wait for an item; it, and the others of its time. None of them once the mailbox is closed."""
        with self._changed:
            while not self._closed:
                self._drop_late()
                left_s = self._left_s()
                if left_s <= 0:
                    return self._taken_out()
                self._changed.wait(left_s if self._waiting else None)
            return []

    def close(self) -> None:
        with self._changed:
            for each in self._waiting.values():
                self._overtaken(each.item, False)
            self._waiting.clear()
            self._closed = True
            self._changed.notify_all()

    def _left_s(self) -> float:
        """How long to wait for more."""
        if not self._waiting:
            return float("inf")
        if self._in_step <= self._waiting.keys():
            return 0.0
        return min(each.since_s for each in self._waiting.values()) + PATIENCE_S - time.monotonic()

    def _drop_late(self) -> None:
        """Who has seen a later time already cannot go back to an earlier one."""
        for sender in self._waiting.keys() - self._taken:
            if 0 <= self._taken_s - self._waiting[sender].stamp_s < LATE_S:
                self._overtaken(self._waiting.pop(sender).item, True)

    def _taken_out(self) -> list[Item]:
        """Of those who were not served last, if any wait, the oldest, and all of its time."""
        others = {name: each for name, each in self._waiting.items() if name not in self._taken}
        first = min((others or self._waiting).values(), key=lambda each: each.stamp_s)
        group = {
            sender
            for sender, each in self._waiting.items()
            if abs(each.stamp_s - first.stamp_s) <= self._tolerance_s
        }
        self._in_step = group if len(group) > 1 else set()
        self._taken, self._taken_s = group, max(self._waiting[sender].stamp_s for sender in group)
        return [self._waiting.pop(sender).item for sender in sorted(group)]
