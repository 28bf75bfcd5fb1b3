"""The node's end of a bond with Nav2's lifecycle manager: a heartbeat by which the manager knows that it is alive.

The protocol is bond_core's: both ends say on the topic `bond`, with the bond's id, that they are active; who ends says
that it is not, until the other has said so too.
"""

from __future__ import annotations

import uuid

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from reloc_ros.errors import RelocError

PERIOD_S = 0.25
TIMEOUT_S = 4.0
"""As Nav2's nodes say; the manager goes by its own parameter bond_timeout."""
FAREWELLS = 4
"""How often to say goodbye to a manager that does not answer."""


def check_bond_available() -> None:
    """Raises RelocError where there is no bond to be had."""
    _status_type()


class Bond:
    """Says that the node is active, from construction to `end`."""

    def __init__(self, node: Node) -> None:
        self._node, self._type = node, _status_type()
        self._instance, self._active, self._farewells_left = str(uuid.uuid4()), True, FAREWELLS
        self._publisher = node.create_publisher(self._type, "bond", QoSProfile(depth=5))
        self._subscription = node.create_subscription(
            self._type, "bond", self._on_status, QoSProfile(depth=100)
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._beat, clock=steady)

    def end(self) -> None:
        """Say goodbye, and go once that was heard."""
        if self._publisher is None or not self._active:
            return
        self._active = False
        self._say()

    def close(self) -> None:
        """Go at once. May be called twice."""
        if self._publisher is None:
            return
        self.end()
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)
        self._publisher = None

    def _beat(self) -> None:
        if not self._active:
            self._farewells_left -= 1
        if self._farewells_left < 0:
            self.close()
        else:
            self._say()

    def _on_status(self, message) -> None:
        is_other_end = message.id == self._node.get_name() and message.instance_id != self._instance
        if is_other_end and not message.active and not self._active:
            self.close()

    def _say(self) -> None:
        self._publisher.publish(
            self._type(
                header=Header(stamp=self._node.get_clock().now().to_msg()),
                id=self._node.get_name(),
                instance_id=self._instance,
                active=self._active,
                heartbeat_timeout=TIMEOUT_S,
                heartbeat_period=PERIOD_S,
            )
        )


def _status_type() -> type:
    try:
        from bond.msg import Status
    except ImportError as error:
        raise RelocError(
            "parameter bond needs the message package bond (of bond_core), which is not installed; install it, or set "
            "bond to false and the lifecycle manager's bond_timeout to 0.0"
        ) from error
    return Status
