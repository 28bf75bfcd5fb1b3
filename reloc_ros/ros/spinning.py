"""An executor's work on one thread, ended from another."""

from __future__ import annotations

import contextlib
import threading

from rclpy.executors import Executor, ExternalShutdownException


class Spinning:
    """In place of `Executor.spin`, which `Executor.shutdown` ends with a race: it takes away what the other thread may
    be about to wait for, and what that raises depends on where it was."""

    def __init__(
        self, executor: Executor, around: contextlib.AbstractContextManager[object] | None = None
    ) -> None:
        """Begin to work on what comes, in a thread of its own.

        Args:
            around: takes what callbacks raise, and what rclpy does where the context ends first; else only the latter.
        """
        self._executor = executor
        self._around = contextlib.suppress(ExternalShutdownException) if around is None else around
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="spin")
        self._thread.start()

    def _spin(self) -> None:
        with self._around:
            while self._executor.context.ok() and not self._ended.is_set():
                self._executor.spin_once()

    def end(self) -> None:
        """Let the work end, if it has not yet, then shut the executor down; twice does no harm."""
        if self._thread.is_alive():
            self._executor.create_task(self._ended.set)
        self._thread.join()
        self._executor.shutdown()
