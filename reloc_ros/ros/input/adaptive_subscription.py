"""A subscription whose quality of service follows what the publishers offer, and which says whom it cannot hear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.topic_endpoint_info import TopicEndpointInfo

from reloc_ros.errors import RelocError
from reloc_ros.ros.distribution import SubscriptionEventCallbacks


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
        self._depth, self._follow_durability = depth, follow_durability
        overrides = given_overrides(node, node.resolve_topic_name(topic))
        self._overriding = QoSOverridingOptions(tuple(overrides))
        self._reliability = overrides.get(QoSPolicyKind.RELIABILITY, reliability)
        self._endpoints: frozenset[bytes] | None = None
        self.problem = ""
        """Which publishers cannot be heard and why, as a sentence; empty when all are."""
        self._subscription = self._subscribe(
            self._profile(self._reliability == "reliable", late_joining=False)
        )

    @property
    def topic(self) -> str:
        """The resolved name, after remapping."""
        return self._subscription.topic_name

    @property
    def profile(self) -> QoSProfile:
        return self._subscription.qos_profile

    def close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def follow(self) -> None:
        """Subscribe anew if the publishers of this moment call for another profile; without any, stay."""
        publishers = self._node.get_publishers_info_by_topic(self._topic)  # remaps it
        endpoints = frozenset(bytes(publisher.endpoint_gid) for publisher in publishers)
        if endpoints == self._endpoints:
            return
        self._endpoints = endpoints
        if publishers:
            self._adapt([publisher.qos_profile for publisher in publishers])
        self._notice_problem(publishers)

    def _adapt(self, offers: Sequence[QoSProfile]) -> None:
        reliable = all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
        if self._reliability != "auto":
            reliable = self._reliability == "reliable"
        late_joining = self._follow_durability and reliable
        late_joining &= all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
        wanted, current = self._profile(reliable, late_joining), self.profile
        if (wanted.reliability, wanted.durability) == (current.reliability, current.durability):
            return
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribe(wanted)
        self._node.get_logger().info(
            f"listening to {self.topic} with {wanted.reliability.name.lower()} reliability, as it is offered"
        )

    def _notice_problem(self, publishers: Sequence[TopicEndpointInfo]) -> None:
        own_type = self._subscription.msg_type
        wanted_type = f"{own_type.__module__.split('.')[0]}/msg/{own_type.__name__}"
        mismatches = [_mismatch(publisher, self.profile, wanted_type) for publisher in publishers]
        problem = "; ".join(dict.fromkeys(f"{self.topic} {text}" for text in mismatches if text))
        if problem and problem != self.problem:
            self._node.get_logger().warning(problem)
        self.problem = problem

    def _on_incompatible(self, _: object) -> None:
        """The middleware found a publisher that asks for less than this subscription: look at it in `follow`."""
        self._endpoints = None

    def _subscribe(self, profile: QoSProfile):
        # The default callback would warn too, without saying who it is or what to do.
        events = SubscriptionEventCallbacks(
            incompatible_qos=self._on_incompatible, use_default_callbacks=False
        )
        return self._node.create_subscription(
            self._message_type,
            self._topic,
            self._callback,
            profile,
            event_callbacks=events,
            qos_overriding_options=self._overriding,
        )

    def _profile(self, reliable: bool, late_joining: bool) -> QoSProfile:
        return QoSProfile(
            depth=self._depth,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if late_joining else DurabilityPolicy.VOLATILE,
        )


def given_overrides(node: Node, topic: str) -> dict[QoSPolicyKind, Any]:
    """What `qos_overrides.TOPIC.subscription.POLICY` says of history, depth and reliability, where it is given.

    rclpy declares all of them with the profile at hand, and holds to that though the publishers call for another.

    Raises:
        RelocError: a reliability that is none.
    """
    found = {}
    for policy in (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY):
        name = f"qos_overrides.{topic}.subscription.{policy.name.lower()}"
        if not node.has_parameter(name):
            node.declare_parameter(name, None, ParameterDescriptor(dynamic_typing=True, read_only=True))
        if (value := node.get_parameter(name).value) is not None:
            found[policy] = value
    if (reliability := found.get(QoSPolicyKind.RELIABILITY)) not in (None, "reliable", "best_effort"):
        raise RelocError(
            f"qos_overrides of {topic}: reliability is reliable or best_effort, got {reliability!r}"
        )
    return found


def _mismatch(publisher: TopicEndpointInfo, profile: QoSProfile, message_type: str) -> str:
    """Why this publisher is not heard, following the topic's name; empty when it is."""
    name = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
    if publisher.topic_type != message_type:
        return f"is published by {name} as {publisher.topic_type}, but {message_type} is needed"
    offer = publisher.qos_profile
    if (
        offer.reliability == ReliabilityPolicy.BEST_EFFORT
        and profile.reliability == ReliabilityPolicy.RELIABLE
    ):
        return (
            f"is published by {name} with reliability best_effort, but reliable is asked for, so nothing arrives: "
            "set image_reliability to auto or best_effort, or have the publisher offer reliable"
        )
    compatibility, reason = qos_check_compatible(offer, profile)
    if compatibility == QoSCompatibility.ERROR:
        return f"is published by {name} with a quality of service that does not fit: {reason.rstrip(';. ')}"
    return ""
