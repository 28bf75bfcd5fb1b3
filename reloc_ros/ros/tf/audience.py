"""Who else listens to the TF tree: for those alone is a transform made."""

from __future__ import annotations

from rclpy.node import Node

STATUS_TYPE = "reloc_ros/msg/RelocStatus"
"""Only nodes of this package publish it."""


def others_listen(node: Node) -> bool:
    """Whether anybody but relocalization nodes listens to the node's /tf, wherever that is remapped to.

    Each of them listens for its own lookups, which is no reason for another one to work: two would keep each other
    awake for ever.
    """
    listeners = node.get_subscriptions_info_by_topic("/tf")
    return any(
        not _relocalizes(node, name, namespace)
        for name, namespace in {(each.node_name, each.node_namespace) for each in listeners}
    )


def _relocalizes(node: Node, name: str, namespace: str) -> bool:
    try:
        published = node.get_publisher_names_and_types_by_node(name, namespace)
    except RuntimeError:  # it is known by its subscription, and not yet, or no more, by its name
        return False
    return any(STATUS_TYPE in types for _, types in published)
