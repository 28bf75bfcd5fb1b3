"""An executor's work on one thread, ended from another."""

from __future__ import annotations

import threading

from rclpy.executors import Executor


class Spinning:
    """In place of `Executor.spin`, which `Executor.shutdown` ends with a race: it takes away what the other thread may
    be about to wait for, and what that raises depends on where it was."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._ended = threading.Event()

    def run(self) -> None:
        """Work on what comes, until the end; raises what a callback raises."""
        while self._executor.context.ok() and not self._ended.is_set():
            self._executor.spin_once()

    def end(self, thread: threading.Thread) -> None:
        """Have `run` return, if it is still at work on that thread, then shut the executor down; twice does no harm."""
        if thread.is_alive():
            self._executor.create_task(self._ended.set)
        thread.join()
        self._executor.shutdown()
