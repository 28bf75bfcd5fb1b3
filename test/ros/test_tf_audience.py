"""Whom a transform is made for: the nodes of one context, which the graph has at once."""

from __future__ import annotations

import pytest
from rclpy.context import Context
from rclpy.node import Node
from reloc_ros.msg import RelocStatus
from tf2_msgs.msg import TFMessage
from waiting import until

from reloc_ros.ros.tf.audience import others_listen


@pytest.fixture
def make(context: Context):
    """make(name, topic...): a node that subscribes to those."""
    nodes: list[Node] = []

    def make(name: str, *topics: str, **options: object) -> Node:
        nodes.append(Node(name, context=context, **options))
        for topic in topics:
            nodes[-1].create_subscription(TFMessage, topic, lambda _: None, 10)
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def known(node: Node, topic: str, count: int) -> bool:
    return until(lambda: node.count_subscribers(topic) == count)


def relocalization(make, name: str, **options: object) -> Node:
    """One that listens to /tf for its own lookups."""
    node = make(name, "/tf", **options)
    node.create_publisher(RelocStatus, "~/status", 10)
    return node


def test_nobody_and_only_nodes_of_this_package_are_no_audience_and_another_beside_them_is_one(make):
    node = make("asks")
    node.create_publisher(RelocStatus, "~/status", 10)
    assert not others_listen(node)
    for count, (namespace, name) in enumerate((("/", "reloc"), ("/second_robot", "second")), 1):
        relocalization(make, name, namespace=namespace)
        assert known(node, "/tf", count) and until(lambda: not others_listen(node))
    planner = make("planner", "/tf", namespace="/robot")
    assert known(node, "/tf", 3) and until(lambda: others_listen(node))
    planner.destroy_node()
    assert known(node, "/tf", 2) and until(lambda: not others_listen(node))


# rclpy remaps the name that is asked for itself: one that is remapped already would go a rule farther.
def test_who_listens_elsewhere_than_where_the_nodes_tf_is_remapped_to_is_no_audience(make):
    node = make("reloc", cli_args=["--ros-args", "-r", "/tf:=/robot/tf", "-r", "/robot/tf:=/third/tf"])
    make("planner", "/tf", "/robot/tf_static")
    assert known(node, "/tf", 1)
    assert not others_listen(node)
    make("driver", "/robot/tf")
    assert until(lambda: others_listen(node))


def test_one_that_publishes_other_things_is_an_audience(make):
    node, planner = make("reloc"), make("planner", "/tf")
    planner.create_publisher(TFMessage, "/plan", 10)
    assert until(lambda: len(planner.get_publisher_names_and_types_by_node("planner", "/")) > 1)
    assert until(lambda: others_listen(node))


def test_one_that_goes_while_it_is_looked_at_is_an_audience_until_the_next_look(make, monkeypatch):
    node, planner = make("reloc"), make("planner", "/tf")
    assert known(node, "/tf", 1)
    listeners = node.get_subscriptions_info_by_topic("/tf")
    planner.destroy_node()
    assert known(node, "/tf", 0) and not others_listen(node)
    monkeypatch.setattr(node, "get_subscriptions_info_by_topic", lambda _: listeners)
    assert others_listen(node)
