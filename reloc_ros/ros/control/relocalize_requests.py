"""Those who asked to be told where the camera is, and wait for the answer."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.task import Future

from reloc_ros.stream.status import Verdict

DEFAULT_TIMEOUT_S = 5.0


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the images since the request came to."""

    pose: PoseWithCovarianceStamped | None
    reason: str
    """Why there is none, as a word."""
    detail: str
    images: int
    """Looked at for this answer."""


@dataclasses.dataclass(eq=False)
class Request:
    """One that waits."""

    future: Future
    deadline_s: float
    answer: Answer


class RelocalizeRequests:
    """May be used from several threads; futures wake the node's executor."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._waiting: list[Request] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, timeout_s: float) -> Future:
        """A future whose result is an `Answer`, after that time at the latest."""
        deadline_s = time.monotonic() + (timeout_s if timeout_s > 0 else DEFAULT_TIMEOUT_S)
        nothing_yet = Answer(None, "waiting_for_image", "no image has arrived since the request", 0)
        request = Request(Future(executor=self._node.executor), deadline_s, nothing_yet)
        with self._lock:
            self._waiting.append(request)
        return request.future

    def asked(self) -> tuple[Request, ...]:
        """Those who wait at this moment: an image that was judged before a request says nothing to it."""
        with self._lock:
            return tuple(self._waiting)

    def image(
        self, asked: tuple[Request, ...], verdict: Verdict, pose: PoseWithCovarianceStamped | None
    ) -> None:
        """One image was looked at; `pose` is given where it counts.

        Args:
            asked: who waited when the image was judged.
        """
        with self._lock:
            for request in asked:
                images = request.answer.images + 1
                request.answer = Answer(pose, verdict.reason, verdict.detail, images)
        self._answer_where(lambda request: pose is not None and request in asked)

    def expire(self) -> None:
        """Answer those who have waited for long enough; call it now and then."""
        now_s = time.monotonic()
        self._answer_where(lambda request: now_s >= request.deadline_s)

    def close(self) -> None:
        """No more images will be looked at: answer all."""
        self._answer_where(lambda request: True)

    def _answer_where(self, is_due: Callable[[Request], bool]) -> None:
        with self._lock:
            due = [request for request in self._waiting if is_due(request)]
            self._waiting = [request for request in self._waiting if request not in due]
        for request in due:
            request.future.set_result(request.answer)
        if due and (executor := self._node.executor) is not None:
            executor.wake()
