"""Run one node as a process that starts with a sentence or not at all, and that stops when told to."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from reloc_ros.errors import RelocError
from reloc_ros.ros.spinning import Spinning
from reloc_ros.stream.stop import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_S = 1.0
"""For what is being loaded when the process is told to end."""


class Shutdown(Stop):
    """The end of the process, for which the main thread waits: at a signal, any number of them, or at a failure."""

    def __init__(self) -> None:
        super().__init__()
        self.exit_code = 0
        self.sentence = ""
        """What to tell the user last."""
        for number in SIGNALS:
            signal.signal(number, self.set)

    def fail(self) -> None:
        """Called on a thread that cannot go on, from its except clause."""
        traceback.print_exc()
        self.exit_code = 1
        self.set()

    def refuse(self, sentence: str) -> None:
        """Called when the node is set up wrongly."""
        self.exit_code, self.sentence = RelocError.EXIT_CODE, sentence
        self.set()


def run_node(name: str, make_node: Callable[[], Node], arguments: Sequence[str] | None = None) -> int:
    """Spin the node until SIGINT, SIGTERM or a failure.

    Args:
        make_node: a node whose `start(shutdown)` begins its work once the executor is at work, whose `stop()` ends its
            own threads when the executor has ended, and whose `is_loading` tells that it does what may take minutes and
            cannot be interrupted, such as building an engine: that is abandoned.

    Returns:
        The exit code: 0, 1 after a failure, or 2 with one sentence on stderr when it is set up wrongly.
    """
    shutdown = Shutdown()
    try:
        _init(arguments)
        _run(make_node, shutdown)
    except RelocError as error:
        shutdown.refuse(str(error))
    finally:
        rclpy.try_shutdown()
        # Python puts the default action back while it ends: a second signal would then still kill the process.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    if shutdown.sentence:
        print(f"{name}: {shutdown.sentence}", file=sys.stderr)
    return shutdown.exit_code


def _init(arguments: Sequence[str] | None) -> None:
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except (rclpy_implementation.RCLError, rclpy_implementation.UnknownROSArgsError) as error:
        # Its first line says what; the rest is where in rcl's source.
        raise RelocError(f"the ROS arguments are not usable: {str(error).splitlines()[0]}") from error


def _run(make_node: Callable[[], Node], shutdown: Shutdown) -> None:
    node = make_node()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    # Python runs signal handlers on the main thread only, and waiting in rcl would hold them up.
    spinning = Spinning(executor, _ends(shutdown))
    node.start(shutdown)
    shutdown.wait()
    ending = threading.Thread(target=_end, args=(spinning, node), name="end", daemon=True)
    ending.start()
    ending.join(PATIENCE_S if node.is_loading else None)
    if ending.is_alive():
        _abandon(shutdown)


def _end(spinning: Spinning, node: Node) -> None:
    spinning.end()
    node.executor = None  # so that nothing asks it for one task more: of one that has ended, Jazzy's raises
    node.stop()
    node.destroy_node()


def _abandon(shutdown: Shutdown) -> None:
    """End the process though a thread of it is at work in a library, which nothing can stop."""
    print("stopped while loading", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(shutdown.exit_code)


@contextlib.contextmanager
def _ends(shutdown: Shutdown) -> Iterator[None]:
    """What ends the work of the executor ends the process."""
    try:
        yield
    except ExternalShutdownException:
        shutdown.set()
    except Exception:
        shutdown.fail()


class ForwardToRos(logging.Handler):
    """Hands the core's log lines to a node's logger."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._logger = node.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        # One call for each severity: the ROS logger refuses another severity at the same line of code.
        text = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def give_back_memory() -> None:
    """Collect what nobody refers to, and have the C library return what it keeps for later.

    After a map was loaded, that is 100 MB.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own
    if trim is not None:
        trim(0)
