import threading

from reloc_ros.ros.input.worker import FAILURES, Newest, Worker


def test_the_newest_item_is_taken_and_the_others_are_counted():
    mailbox = Newest()
    for item in range(5):
        mailbox.put(item)
    assert (mailbox.take(), mailbox.overtaken) == (4, 4)


def test_closing_ends_the_wait():
    mailbox = Newest()
    taken = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()
    mailbox.close()
    thread.join(5)
    assert taken == [None]


def test_an_item_left_behind_counts_as_overtaken():
    mailbox = Newest()
    mailbox.put(1)
    mailbox.close()
    mailbox.put(2)
    assert (mailbox.take(), mailbox.overtaken) == (None, 2)


def test_an_item_that_breaks_the_work_costs_itself_and_many_in_a_row_end_it():
    broken, failures, ended = [], [], threading.Event()

    def handle(item):
        if item:
            raise ZeroDivisionError(item)

    worker = Worker(handle, lambda item, _: broken.append(item), lambda e: (failures.append(e), ended.set()))

    def work(*items):
        for item in items:
            worker.put(item)
            while worker._item is not None:
                pass

    work(*range(1, FAILURES), 0, *range(1, FAILURES))
    assert not ended.wait(0.1)
    assert broken == 2 * list(range(1, FAILURES))
    work(FAILURES)
    assert ended.wait(5)
    assert [str(error) for error in failures] == [str(FAILURES)]
    worker.stop()
