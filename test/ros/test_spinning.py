"""The end of an executor that another thread spins."""

from __future__ import annotations

import contextlib
import threading

import pytest
from rclpy.executors import SingleThreadedExecutor

from reloc_ros.ros.spinning import Spinning


def test_the_executor_is_shut_down_when_the_callback_at_work_is_done_and_nothing_spins(lone_node):
    at_work, ending = threading.Event(), threading.Event()
    threads, spun = [], []

    class Watched(SingleThreadedExecutor):
        def create_task(self, *arguments):
            task = super().create_task(*arguments)
            ending.set()
            return task

        def shutdown(self, timeout_sec=None):
            spun.append(threads[0].is_alive())
            return super().shutdown(timeout_sec)

    def work() -> None:
        threads.append(threading.current_thread())
        at_work.set()
        assert ending.wait(60)

    executor = Watched(context=lone_node.context)
    executor.add_node(lone_node)
    lone_node.create_timer(0.001, work)
    spinning = Spinning(executor)
    assert at_work.wait(60)
    spinning.end()
    spinning.end()
    assert spun == [False, False]


def test_what_a_callback_raises_ends_the_spinning_and_the_end_still_comes(lone_node):
    raised, ended = [], threading.Event()
    executor = SingleThreadedExecutor(context=lone_node.context)
    executor.add_node(lone_node)
    lone_node.create_timer(0.001, lambda: 1 / 0)

    @contextlib.contextmanager
    def kept():
        with pytest.raises(ZeroDivisionError) as error:
            yield
        raised.append(error)
        ended.set()

    spinning = Spinning(executor, kept())
    assert ended.wait(60)
    spinning.end()
    assert len(raised) == 1
