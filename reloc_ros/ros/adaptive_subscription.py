"""A subscription whose quality of service follows what the publishers offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy


class AdaptiveSubscription:
    """Reliable, and late-joining, where every publisher offers it; otherwise best effort, and volatile.

    A reliable subscriber hears nothing from a best-effort publisher, and large best-effort images are mostly
    lost over the default transport, so neither fixed choice works with every camera driver.
    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        callback: Callable[[Any], None],
        *,
        depth: int,
        reliability: str = "auto",
        follow_durability: bool = False,
    ) -> None:
        """Subscribe at once, so that publishers see it; call `follow` now and then.

        Args:
            reliability: auto, reliable or best_effort.
            follow_durability: also get what a transient-local publisher sent before.
        """
        self._node, self._message_type, self._topic, self._callback = node, message_type, topic, callback
        self._depth, self._reliability, self._follow_durability = depth, reliability, follow_durability
        reliable = reliability == "reliable"
        self._subscription = self._subscribe(self._profile(reliable, late_joining=False))

    @property
    def topic(self) -> str:
        """The resolved name, after remapping."""
        return self._subscription.topic_name

    @property
    def profile(self) -> QoSProfile:
        return self._subscription.qos_profile

    def follow(self) -> None:
        """Subscribe anew if the publishers of this moment call for another profile; without any, stay."""
        offers = [info.qos_profile for info in self._node.get_publishers_info_by_topic(self.topic)]
        if not offers:
            return
        reliable = all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
        if self._reliability != "auto":
            reliable = self._reliability == "reliable"
        late_joining = self._follow_durability and reliable
        late_joining &= all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
        wanted = self._profile(reliable, late_joining)
        current = self.profile
        if (wanted.reliability, wanted.durability) == (current.reliability, current.durability):
            return
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribe(wanted)
        self._node.get_logger().info(
            f"listening to {self.topic} with {wanted.reliability.name.lower()} reliability, as it is offered"
        )

    def _subscribe(self, profile: QoSProfile):
        return self._node.create_subscription(self._message_type, self._topic, self._callback, profile)

    def _profile(self, reliable: bool, late_joining: bool) -> QoSProfile:
        return QoSProfile(
            depth=self._depth,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if late_joining else DurabilityPolicy.VOLATILE,
        )
