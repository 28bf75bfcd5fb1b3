"""A stop that signal handlers set, at whatever moment they interrupt who waits for it."""

import subprocess
import sys
import threading
import time

import pytest

from reloc_ros.stream.stop import Stop

INTERRUPTED = """
import faulthandler, random, signal
from reloc_ros.stream.stop import Stop
faulthandler.dump_traceback_later(60, exit=True)
drawn, stop = random.Random(0), Stop()
signal.signal(signal.SIGALRM, lambda *given: stop.set(*given))
for _ in range(2000):
    stop = Stop()
    signal.setitimer(signal.ITIMER_REAL, drawn.uniform(1e-6, 2e-4))
    while not stop.wait(1e-6):
        pass
"""


def test_a_signal_that_comes_while_it_is_being_waited_for_is_not_waited_for_ever():
    # A threading.Event instead hangs within the first few hundred.
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_it_may_be_set_any_number_of_times():
    stop = Stop()
    assert not stop.is_set()
    stop.set()
    stop.set(15, None)  # as a handler
    assert stop.is_set() and stop.wait() and stop.wait(0) and stop.wait(-1)


@pytest.mark.parametrize("timeout_s", [0.01, 0, -1])
def test_it_is_waited_for_no_longer_than_asked(timeout_s):
    stop = Stop()
    begun = time.monotonic()
    assert not stop.wait(timeout_s)
    assert time.monotonic() - begun >= timeout_s


def test_all_threads_that_wait_are_woken():
    stop, woken = Stop(), []
    threads = [threading.Thread(target=lambda: woken.append(stop.wait(60))) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(60)
    assert woken == [True] * 3
