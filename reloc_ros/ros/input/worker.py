"""The thread that does the work on each image, so that the executor's thread is always free to receive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
FAILURES = 5
"""Items in a row on which the work raised something, after which it is not the items."""


class Newest(Generic[Item]):
    """A mailbox with room for one item: older ones are overtaken, never queued."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: Item | None = None
        self._closed = False
        self.overtaken = 0
        """Items replaced before anyone took them, or left behind at the end."""

    def put(self, item: Item) -> None:
        with self._condition:
            if self._item is not None or self._closed:
                self.overtaken += 1
            self._item = None if self._closed else item
            self._condition.notify()

    def take(self) -> Item | None:
        """Wait for an item; None once the mailbox is closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._item is not None)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        with self._condition:
            if self._item is not None:
                self.overtaken += 1
            self._item, self._closed = None, True
            self._condition.notify_all()


class Worker(Newest[Item]):
    """Handles the newest item, one at a time, from construction until `stop`."""

    def __init__(
        self,
        handle: Callable[[Item], None],
        broken: Callable[[Item, Exception], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Begin.

        Args:
            handle: called on the worker's thread.
            broken: called there when `handle` raised: that costs the item.
            fail: called there, from an except clause, when it raised on many items in a row; the thread then ends.
        """
        super().__init__()
        self._handle, self._broken, self._fail = handle, broken, fail
        self._thread = threading.Thread(target=self._work, name="localize")
        self._thread.start()

    def stop(self) -> None:
        """Let the item in work finish, and end the thread. An item that waits counts as overtaken."""
        self.close()
        self._thread.join()

    def _work(self) -> None:
        failures = 0
        while (item := self.take()) is not None:
            try:
                self._handle(item)
                failures = 0
            except Exception as error:
                failures += 1
                if failures >= FAILURES:
                    self._fail(error)
                    return
                self._broken(item, error)
