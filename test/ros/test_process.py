"""A node's process fails loudly: no thread dies while the rest looks alive."""

import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
import sys, threading
from rclpy.node import Node
from reloc_ros.errors import RelocError
from reloc_ros.ros.process import run_node

class Broken(Node):
    def __init__(self):
        super().__init__("broken")
        if "setup" in sys.argv:
            raise RelocError("the lens cap is on")
        if "callback" in sys.argv:
            self.create_timer(0.05, self.work)

    def work(self):
        raise ZeroDivisionError("in work")

    def guarded(self, shutdown):
        try:
            self.work()
        except Exception:
            shutdown.fail()

    def start(self, shutdown):
        if "late" in sys.argv:
            shutdown.refuse("the lens cap was put on")
        if "thread" in sys.argv:
            threading.Thread(target=self.guarded, args=(shutdown,)).start()

    is_loading = False

    def stop(self):
        pass

sys.exit(run_node("broken", Broken, sys.argv))
"""


def run(*words):
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("where", ["callback", "thread"])
def test_a_defect_ends_the_process_with_its_traceback_and_code_1(where):
    ended = run(where)
    assert ended.returncode == 1
    assert "ZeroDivisionError: in work" in ended.stderr


def test_wrong_configuration_ends_with_a_sentence_and_code_2():
    ended = run("setup")
    assert (ended.returncode, ended.stderr) == (2, "broken: the lens cap is on\n")
    ended = run("late")
    assert (ended.returncode, ended.stderr) == (2, "broken: the lens cap was put on\n")


def test_unusable_ros_arguments_end_with_a_sentence_and_code_2():
    ended = run("thread", "--ros-args", "-r", "this is no remap rule")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("broken: the ROS arguments are not usable")
    assert "Traceback" not in ended.stderr
