"""The end of an executor that another thread spins."""

from __future__ import annotations

import threading

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from reloc_ros.ros.spinning import Spinning


@pytest.fixture
def node():
    context = Context()
    rclpy.init(context=context)
    node = Node("spun", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def test_the_executor_is_shut_down_when_the_callback_at_work_is_done_and_nothing_spins(node):
    at_work, ending, spun = threading.Event(), threading.Event(), []

    class Watched(SingleThreadedExecutor):
        def create_task(self, *arguments):
            task = super().create_task(*arguments)
            ending.set()
            return task

        def shutdown(self, timeout_sec=None):
            spun.append(thread.is_alive())
            return super().shutdown(timeout_sec)

    def work() -> None:
        at_work.set()
        assert ending.wait(60)

    executor = Watched(context=node.context)
    executor.add_node(node)
    node.create_timer(0.001, work)
    spinning = Spinning(executor)
    thread = threading.Thread(target=spinning.run)
    thread.start()
    assert at_work.wait(60)
    spinning.end(thread)
    spinning.end(thread)
    assert spun == [False, False]


def test_what_a_callback_raises_ends_the_spinning_and_the_end_still_comes(node):
    raised = []
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    node.create_timer(0.001, lambda: 1 / 0)
    spinning = Spinning(executor)

    def run() -> None:
        with pytest.raises(ZeroDivisionError) as error:
            spinning.run()
        raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    spinning.end(thread)
    assert len(raised) == 1
