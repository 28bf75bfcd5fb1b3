"""Images that the network lost are looked at once more, beside the worker, which goes on with the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic

from reloc_ros.ros.input.mailbox import Item, Mailbox
from reloc_ros.ros.input.worker import Worker


class SecondLooks(Generic[Item]):
    """Handles the newest of the images that were put in, one time after the other, on a thread of its own."""

    def __init__(
        self,
        handle: Callable[[Sequence[Item]], None],
        overtaken: Callable[[Sequence[Item]], None],
        broken: Callable[[Sequence[Item], Exception], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Begin.

        Args:
            handle, broken, fail: as for `Worker`.
            overtaken: called with images of one time that will not be looked at.
        """
        self._mailbox: Mailbox[Sequence[Item]] = Mailbox(lambda images, late: overtaken(images))
        self._worker = Worker(
            self._mailbox,
            lambda taken: handle(*taken),
            lambda taken, error: broken(*taken, error),
            fail,
        )

    def put(self, images: Sequence[Item]) -> None:
        """Images of one time; those that wait still are overtaken."""
        self._mailbox.put(images)

    def stop(self) -> None:
        """Let the images in work finish, and end the thread."""
        self._worker.stop()
