import threading
import time

import pytest

from reloc_ros.ros.input import mailbox as module
from reloc_ros.ros.input.mailbox import Mailbox
from reloc_ros.ros.input.worker import FAILURES, Worker


@pytest.fixture
def overtaken():
    """(item, whether it came late) of those that nobody took."""
    return []


@pytest.fixture
def mailbox(overtaken):
    return Mailbox(lambda *told: overtaken.append(told), tolerance_s=0.02)


def test_the_newest_item_is_taken_and_the_others_are_told(mailbox, overtaken):
    for item in range(5):
        mailbox.put(item)
    assert (mailbox.take(), overtaken) == ([4], [(item, False) for item in range(4)])


def test_one_sender_may_go_back_in_time(mailbox, overtaken):
    for stamp_s in (10.0, 10.0, 9.9):
        mailbox.put(stamp_s, "", stamp_s)
        assert mailbox.take() == [stamp_s]
    assert overtaken == []


def test_closing_ends_the_wait(mailbox):
    taken = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()
    mailbox.close()
    thread.join(5)
    assert taken == [[]]


def test_an_item_left_behind_counts_as_overtaken(mailbox, overtaken):
    mailbox.put(1)
    mailbox.close()
    mailbox.put(2)
    assert (mailbox.take(), overtaken) == ([], [(1, False), (2, False)])


def test_items_of_one_time_are_taken_together_and_others_in_the_order_of_time(mailbox):
    mailbox.put("rear 1", "rear", 1.01)
    mailbox.put("front 1", "front", 1.0)
    assert mailbox.take() == ["front 1", "rear 1"]
    mailbox.put("rear 3", "rear", 3.0)
    mailbox.put("front 2", "front", 2.0)
    assert (mailbox.take(), mailbox.take()) == (["front 2"], ["rear 3"])


def test_a_sender_that_was_a_little_late_is_waited_for_from_then_on_until_it_stays_away(
    mailbox, overtaken, monkeypatch
):
    patience_s = module.PATIENCE_S
    monkeypatch.setattr(module, "PATIENCE_S", 60.0)  # more than any machine is late
    mailbox.put("front 1", "front", 1.0)
    assert mailbox.take() == ["front 1"]
    mailbox.put("rear 1", "rear", 1.0)
    mailbox.put("front 2", "front", 2.0)
    threading.Timer(patience_s / 3, lambda: mailbox.put("rear 2", "rear", 2.0)).start()
    assert mailbox.take() == ["front 2", "rear 2"]
    assert overtaken == [("rear 1", True)]
    monkeypatch.setattr(module, "PATIENCE_S", patience_s)
    started_s = time.monotonic()
    mailbox.put("front 3", "front", 3.0)
    assert mailbox.take() == ["front 3"]
    assert time.monotonic() - started_s >= 0.9 * patience_s
    mailbox.put("front 4", "front", 4.0)
    assert mailbox.take() == ["front 4"]  # not waited for again
    assert mailbox._in_step == set()


def test_a_fast_sender_does_not_starve_a_slow_one(mailbox, overtaken):
    taken = []
    for step in range(10):
        mailbox.put(f"front {step}", "front", step)
        if step in (3, 6):
            mailbox.put(f"rear {step}", "rear", step + 0.5)
        taken += mailbox.take()
    mailbox.close()
    assert {"rear 3", "rear 6"} <= set(taken)
    assert len(taken) + len(overtaken) == 12


def test_an_item_that_breaks_the_work_costs_itself_and_many_in_a_row_end_it():
    broken, failures, ended = [], [], threading.Event()

    def handle(items):
        if any(items):
            raise ZeroDivisionError(items[0])

    mailbox = Mailbox(lambda *_: None)
    fail = lambda error: (failures.append(error), ended.set())  # noqa: E731
    worker = Worker(mailbox, handle, lambda items, _: broken.extend(items), fail)

    def work(*items):
        for item in items:
            mailbox.put(item)
            while mailbox._waiting:
                pass

    work(*range(1, FAILURES), 0, *range(1, FAILURES))
    assert not ended.wait(0.1)
    assert broken == 2 * list(range(1, FAILURES))
    work(FAILURES)
    assert ended.wait(5)
    assert [str(error) for error in failures] == [str(FAILURES)]
    worker.stop()
