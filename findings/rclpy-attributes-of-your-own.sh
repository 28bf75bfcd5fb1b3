#!/usr/bin/env bash
# Guess: a node may keep what it likes in attributes of its own; a clash with rclpy's is an error at once.
# Instead: Node keeps its own lists as self._timers, _publishers, _subscriptions, _services and _clients. A node that has a stopwatch
# table called _timers never ticks again, without a word; one that has a dict of _publishers works until destroy_node: KeyError: 0.
# Bites: the obvious names, and the second fails in tests that clean up, not on the robot. Do: other names (self._pose_publishers).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-std-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys, time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Int32

def run(name):
    node, ticks = Node("camera"), []
    timer = node.create_timer(0.05, lambda: ticks.append(1))
    if name == "_timers": node._timers = {}
    if name == "_publishers": node._publishers = {"pose": node.create_publisher(Int32, "pose", 1)}
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    end = time.monotonic() + 0.5
    while time.monotonic() < end: executor.spin_once(timeout_sec=0.1)
    try:
        node.destroy_node()
        return bool(ticks), "destroyed"
    except KeyError as error:
        return bool(ticks), repr(error)

rclpy.init()
seen = {name: run(name) for name in ("", "_timers", "_publishers")}
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: ticks and is destroyed | seen:", seen)
if seen != {"": (True, "destroyed"), "_timers": (False, "destroyed"), "_publishers": (True, "KeyError(0)")}: sys.exit("changed: such attributes do something else now")
END
