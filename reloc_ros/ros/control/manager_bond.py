"""The node's end of a bond with Nav2's lifecycle manager: a heartbeat by which the manager knows that it is alive."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.node import Node

from reloc_ros.errors import RelocError

PERIOD_S = 0.25
TIMEOUT_S = 4.0
"""As Nav2's nodes say; the manager goes by its own parameter bond_timeout."""
FAREWELL_TIMEOUT_S = 0.5


def bond_class() -> type:
    """bondpy's Bond.

    Raises:
        RelocError: it is not installed.
    """
    try:
        from bondpy.bondpy import Bond
    except ImportError as error:
        raise RelocError(
            "parameter bond needs the package bondpy (of bond_core), which is not installed; install it, or set bond "
            "to false and the lifecycle manager's bond_timeout to 0.0"
        ) from error
    return Bond


class ManagerBond:
    """Says that the node is active, from construction to `end`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._bond = bond_class()("bond", node.get_name(), node, on_broken=self._on_broken)
        self._bond.heartbeat_period, self._bond.heartbeat_timeout = PERIOD_S, TIMEOUT_S
        self._bond.start()

    def end(self) -> None:
        """Say goodbye, and go once that was heard."""
        if self._bond is not None:
            self._bond.break_bond()
            self._bond.pub.wait_for_all_acked(Duration(seconds=FAREWELL_TIMEOUT_S))

    def close(self) -> None:
        """Go at once. May be called twice."""
        if self._bond is None:
            return
        bond, self._bond = self._bond, None
        bond.on_broken = None
        bond.shutdown()
        # It leaves both in the node though they are destroyed, which would end the executor.
        self._node.destroy_subscription(bond.sub)
        self._node.destroy_publisher(bond.pub)

    def _on_broken(self) -> None:
        """Called on the executor's thread or on one of the bond's own."""
        if (executor := self._node.executor) is not None:
            executor.create_task(self.close)
