"""The thread that does the work on each image, so that the executor's thread is always free to receive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic

from reloc_ros.ros.input.mailbox import Item, Mailbox

FAILURES = 5
"""Times in a row that the work raised something, after which it is not the items."""


class Worker(Generic[Item]):
    """Handles what is in a mailbox, one after the other, from construction until `stop`."""

    def __init__(
        self,
        mailbox: Mailbox[Item],
        handle: Callable[[list[Item]], None],
        broken: Callable[[list[Item], Exception], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Begin.

        Args:
            handle: called on the worker's thread, with items of one time.
            broken: called there when `handle` raised: that costs the items.
            fail: called there, from an except clause, when it raised many times in a row; the thread then ends.
        """
        self._mailbox, self._handle, self._broken, self._fail = mailbox, handle, broken, fail
        self._thread = threading.Thread(target=self._work, name="localize")
        self._thread.start()

    def stop(self) -> None:
        """Let the items in work finish, and end the thread. One that waits counts as overtaken."""
        self._mailbox.close()
        self._thread.join()

    def _work(self) -> None:
        failures = 0
        while items := self._mailbox.take():
            try:
                self._handle(items)
                failures = 0
            except Exception as error:
                failures += 1
                if failures >= FAILURES:
                    self._fail(error)
                    return
                self._broken(items, error)
