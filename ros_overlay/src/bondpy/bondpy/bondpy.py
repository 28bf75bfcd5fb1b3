import time
import uuid
from collections.abc import Callable

from bond.msg import Status
from rclpy.clock import Clock, ClockType
from rclpy.node import Node


class Bond:
    """One end of a bond between two processes, each of which learns from it when the other is gone.

    Both ends say on one topic, with the bond's id, that they are active; who ends says that it is not, until the other
    has said so too. It works on the node's executor, where the genuine one has threads.
    """

    def __init__(self, topic: str, id: str, node: Node, on_broken: Callable[[], None] | None = None) -> None:
        self.topic, self.id, self.node, self.on_broken = topic, id, node, on_broken
        self.instance_id = str(uuid.uuid4())
        self.connect_timeout, self.disconnect_timeout = 10.0, 2.0
        self.heartbeat_timeout, self.heartbeat_period = 4.0, 1.0
        self.is_shutdown = False
        self._is_formed = self._is_ending = self._is_dead = False
        self.pub = node.create_publisher(Status, topic, 1)

    def start(self) -> None:
        self._deadline_s = time.monotonic() + self.connect_timeout
        self.sub = self.node.create_subscription(Status, self.topic, self._on_status, 1)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.node.create_timer(self.heartbeat_period, self._on_timer, clock=steady)
        self._publish()

    def break_bond(self) -> None:
        """Tell the other end that this one goes, until it has heard."""
        self._is_ending = True
        self._deadline_s = time.monotonic() + self.disconnect_timeout
        if not self._is_formed:
            self._die()
        self._publish()

    def shutdown(self) -> None:
        """Say so once more, and leave the topic."""
        if self.is_shutdown:
            return
        self.is_shutdown = True
        if not self._is_dead:
            self.break_bond()
        self.node.destroy_timer(self._timer)
        self.node.destroy_subscription(self.sub)
        self.node.destroy_publisher(self.pub)

    def _on_timer(self) -> None:
        if time.monotonic() > self._deadline_s:
            self._die()
        if not self._is_dead:
            self._publish()

    def _on_status(self, message: Status) -> None:
        if message.id != self.id or message.instance_id == self.instance_id or self._is_dead:
            return
        if not message.active:
            if not self._is_ending:
                self._is_ending = True
                self._publish()
            self._die()
        elif not self._is_ending:
            self._is_formed = True
            self._deadline_s = time.monotonic() + self.heartbeat_timeout

    def _die(self) -> None:
        if self._is_dead:
            return
        self._is_dead = True
        if self.on_broken is not None:
            self.on_broken()

    def _publish(self) -> None:
        message = Status(id=self.id, instance_id=self.instance_id, active=not self._is_ending)
        message.header.stamp = self.node.get_clock().now().to_msg()
        message.heartbeat_timeout, message.heartbeat_period = self.heartbeat_timeout, self.heartbeat_period
        self.pub.publish(message)
