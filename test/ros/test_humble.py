"""The node on what Humble's rclpy has, by the differences that are known: no Humble is in any package registry."""

from __future__ import annotations

import os

from node_process import Peer, publishing
from table_bundle import view

# Python reads it first. Humble has its events in rclpy.qos_event, and no callback before parameters are set.
AS_ON_HUMBLE = """
import sys
import rclpy, rclpy.event_handler, rclpy.lifecycle, rclpy.node
events = sys.modules["rclpy.event_handler"]
sys.modules["rclpy.qos_event"], sys.modules["rclpy.event_handler"] = events, None
del rclpy.event_handler, rclpy.node.Node.add_pre_set_parameters_callback
"""


def test_on_humbles_api_the_node_says_that_it_is_untested_and_localizes(
    start_node, peer: Peer, tmp_path, monkeypatch
):
    (tmp_path / "sitecustomize.py").write_text(AS_ON_HUMBLE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    node = start_node(max_speed=3)  # a whole number for a double
    peer.show(view(5), publishing)
    assert peer.set_parameter("lost_after", 5) == (True, "")
    assert node.stop() == 0
    assert "tested with ROS 2 Jazzy and Kilted" in node.output
    assert "Error" not in node.output


def test_where_the_tests_run_nothing_is_said_of_the_distribution(start_node, peer: Peer):
    node = start_node()
    peer.show(view(5), publishing)
    assert node.stop() == 0
    assert "is tested with" not in node.output
