"""What differs between the ROS distributions that the node starts on."""

from __future__ import annotations

try:
    from rclpy.event_handler import SubscriptionEventCallbacks

    UNTESTED = ""
    """What to tell the user of this distribution; empty where the tests run on it."""
except ImportError:  # the module's name until Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

    UNTESTED = "reloc_ros is tested with ROS 2 Jazzy and Kilted, not with Humble, which this seems to be"

__all__ = ["UNTESTED", "SubscriptionEventCallbacks"]
