"""The relocalization node: images in; poses, transforms and a status out. A managed (lifecycle) node."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from reloc_ros.errors import RelocError
from reloc_ros.ros.control.node_parameters import NodeParameters
from reloc_ros.ros.control.services import Services
from reloc_ros.ros.distribution import UNTESTED
from reloc_ros.ros.input.transport import room_for_large_messages
from reloc_ros.ros.output.diagnostics import Diagnostics, diagnostic_from
from reloc_ros.ros.output.status import StatusPublisher
from reloc_ros.ros.process import ForwardToRos, Shutdown, give_back_memory, run_node
from reloc_ros.ros.session import Session
from reloc_ros.stream.health import Health

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR


class RelocNode(LifecycleNode):
    """A robot's camera, or cameras, and one map.

    - configure loads the map and starts the backend; what does not work leaves the node unconfigured.
    - activate listens; deactivate stops that and frees the processor; cleanup frees the memory.
    - A failure at work goes through error processing back to unconfigured. The status says why in every state.

    With `autostart` it does the first two by itself, and as nobody else manages it then, what cannot be started or go
    on ends the process.
    """

    def __init__(self) -> None:
        super().__init__("reloc")
        self._session: Session | None = None
        self._lifecycle = "unconfigured"
        self._configuring = False
        self._failure: Exception | None = None
        self._shutdown: Shutdown | None = None
        self._forward = ForwardToRos(self)
        logging.getLogger("reloc_ros").addHandler(self._forward)
        logging.getLogger("reloc_ros").setLevel(logging.INFO)
        self._given = NodeParameters(self, lambda: self._session is not None, self._on_parameters)
        self._status = StatusPublisher(self)
        self._service_server = Services(self, lambda: self._session, self._given)
        self._diagnostics = Diagnostics(self, self._diagnose)
        self._status.publish_idle("not_configured", "the node waits to be configured")
        if UNTESTED:
            self.get_logger().warning(UNTESTED)

    def start(self, shutdown: Shutdown) -> None:
        self._shutdown = shutdown
        if self._given.current.autostart:
            self.executor.create_task(self._start_by_itself)

    @property
    def is_loading(self) -> bool:
        """Whether a map is being loaded and its engine built."""
        return self._configuring or self._service_server.is_loading

    def stop(self) -> None:
        """The executor has ended: this is the only thread but those that are ended here."""
        self._close()
        self._service_server.close()
        logging.getLogger("reloc_ros").removeHandler(self._forward)

    def _start_by_itself(self) -> None:
        for step in (self.trigger_configure, self.trigger_activate):
            outcome = step()
            if outcome == FAILURE:
                self._shutdown.refuse(self._status.last.detail)
            if outcome != SUCCESS:
                return

    # Transitions, on the executor's thread.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        def configure() -> None:
            self._configuring = True
            try:
                self._session = Session(self, self._given.current, self._status)
            finally:
                self._configuring = False
            self._status.publish_idle("not_active", "the node waits to be activated", self._session.loaded)

        return self._try(configure, "inactive")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._try(lambda: self._session.activate(self._on_worker_failure), "active")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        def deactivate() -> None:
            self._session.deactivate()
            self._status.publish_idle("not_active", "the node was deactivated", self._session.loaded)

        if self._failure is not None:
            return ERROR
        return self._try(deactivate, "inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._close()
        self._status.publish_idle("not_configured", "the node was cleaned up")
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._close()
        self._lifecycle = "finalized"
        self._status.publish_idle("not_configured", "the node was shut down")
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        failure, self._failure = self._failure, None
        self._close()
        self._status.publish_idle("failed", _sentence(failure) if failure else "a transition failed")
        return SUCCESS

    def _try(self, step: Callable[[], None], reached: str) -> TransitionCallbackReturn:
        """rclpy drops the exceptions of a transition without a word."""
        try:
            step()
        except RelocError as error:
            self._status.publish_idle("failed", str(error), self._session and self._session.loaded)
            if not self._given.current.autostart:  # else the process ends with that sentence
                self.get_logger().error(str(error))
            return FAILURE
        except Exception as error:
            self._on_failure(error)
            return ERROR
        self._lifecycle = reached
        return SUCCESS

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._lifecycle = None, "unconfigured"
        give_back_memory()

    def _on_parameters(self) -> None:
        self._session.change_parameters(self._given.current)

    def _diagnose(self) -> list[DiagnosticStatus]:
        """Of the robot, and of each camera where it has several."""
        session, name = self._session, self.get_fully_qualified_name().lstrip("/")
        health = session.health if session else Health()
        problem, ignored = (session.problem, session.ignored) if session else ("", "")
        parts = [(name, self._status, health, problem, ignored, "")]
        for stream in session.streams if session else ():
            if stream.status is not None:
                whose = f"{name}/{stream.name}"
                parts.append((whose, stream.status, stream.health, stream.problem, "", stream.name))
        return [
            diagnostic_from(
                part,
                self._lifecycle,
                status.last,
                health.summary(time.monotonic()),
                problem,
                ignored,
                str(session.loaded.of(camera).localizer.bundle.path) if session else "",
            )
            for part, status, health, problem, ignored, camera in parts
        ]

    def _give_up(self) -> None:
        if self._failure is not None and self._session is not None and self._session.is_active:
            self.trigger_deactivate()

    def _on_failure(self, error: Exception) -> None:
        """Called in an except clause."""
        self._failure = error
        if self._given.current.autostart:
            self._shutdown.fail()
        else:
            self.get_logger().error(f"cannot go on: {_sentence(error)}")

    # On the worker's thread.

    def _on_worker_failure(self, error: Exception) -> None:
        self._on_failure(error)
        if (executor := self.executor) is not None:  # else the node is being stopped already
            executor.create_task(self._give_up)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def main(arguments: list[str] | None = None) -> int:
    with room_for_large_messages():  # a debug image is one, and poses and transforms are sent beside it
        return run_node("reloc_node", RelocNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
