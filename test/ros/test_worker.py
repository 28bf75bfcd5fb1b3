import threading

from reloc_ros.ros.input.worker import Newest


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
