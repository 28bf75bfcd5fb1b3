"""The thread that does the work on each image, so that the executor's thread is always free to receive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from reloc_ros.ros.input.newest import Newest

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Handles the newest item, one at a time, from construction until `stop`."""

    def __init__(self, handle: Callable[[Item], None], fail: Callable[[Exception], None]) -> None:
        """Begin.

        Args:
            handle: called on the worker's thread.
            fail: called there, from an except clause, when `handle` raised; the thread then ends.
        """
        self._handle, self._fail = handle, fail
        self._newest: Newest[Item] = Newest()
        self._thread = threading.Thread(target=self._work, name="localize")
        self._thread.start()

    @property
    def overtaken(self) -> int:
        """Items replaced by a newer one before work on them began."""
        return self._newest.overtaken

    def put(self, item: Item) -> None:
        self._newest.put(item)

    def stop(self) -> None:
        """Let the item in work finish, and end the thread. An item that waits counts as overtaken."""
        self._newest.close()
        self._thread.join()

    def _work(self) -> None:
        try:
            while (item := self._newest.take()) is not None:
                self._handle(item)
        except Exception as error:
            self._fail(error)
