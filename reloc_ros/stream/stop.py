"""Being told to end, by a signal or by another thread."""

from __future__ import annotations

import contextlib
import threading


class Stop:
    """A `threading.Event` that a signal handler may set.

    A handler runs in the main thread between any two steps of it. The lock of a threading.Event may be held there, by
    who waits for it or by an earlier handler, and then the handler waits for itself for ever.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._until_set = threading.Lock()
        self._until_set.acquire()

    def is_set(self) -> bool:
        return self._is_set

    def set(self, *_: object) -> None:
        """As a handler it is given a signal and a frame."""
        self._is_set = True
        with contextlib.suppress(RuntimeError):  # released already
            self._until_set.release()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until it is set, or for so long; whether it is."""
        if not self._is_set and self._until_set.acquire(
            timeout=-1 if timeout_s is None else max(timeout_s, 0.0)
        ):
            self.set()  # for whoever else waits
        return self._is_set
