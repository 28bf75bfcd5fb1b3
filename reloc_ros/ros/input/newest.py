"""Hand the newest item from one thread to another; older ones are overtaken, never queued."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """A mailbox with room for one."""

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
            return None if self._closed else item

    def close(self) -> None:
        with self._condition:
            if self._item is not None and not self._closed:
                self.overtaken += 1
            self._item, self._closed = None, True
            self._condition.notify_all()
