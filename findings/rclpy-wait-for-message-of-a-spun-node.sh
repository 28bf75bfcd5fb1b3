#!/usr/bin/env bash
# Guess: wait_for_message(String, node, "topic", time_to_wait=2) of a node that spins in another thread gets one of 20 messages a second.
# Instead: often (False, None) at once, long before the time is up: the executor takes the message from the subscription that was made for
# waiting, and the wait ends empty-handed.
# Bites: "no camera_info" in a node whose executor runs. Do: wait with a node of one's own that nobody spins, or call again until the time is up.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-std-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import os, sys, threading, time, rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.wait_for_message import wait_for_message
from std_msgs.msg import String

def spun(name):
    node, executor = rclpy.create_node(name), SingleThreadedExecutor()
    executor.add_node(node)
    threading.Thread(target=executor.spin, daemon=True).start()
    return node

def empty(node):
    count, longest = 0, 0.0
    for _ in range(40):
        start = time.monotonic()
        found, _message = wait_for_message(String, node, "topic", time_to_wait=2.0)
        if not found: count, longest = count + 1, max(longest, time.monotonic() - start)
    return count, round(longest, 2)

rclpy.init()
talker = spun("talker")
publisher = talker.create_publisher(String, "topic", 1)
talker.create_timer(0.05, lambda: publisher.publish(String(data="here")))
quiet, busy = empty(rclpy.create_node("quiet")), empty(spun("busy"))
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: 0 of 40 empty | seen (empty of 40, longest of these waits in s): spun by nobody", quiet,
      "spun in a thread", busy, flush=True)
if busy[0] < 2 or busy[1] > 1.9: print("changed: a spun node gets its message now", file=sys.stderr, flush=True)
os._exit(int(busy[0] < 2 or busy[1] > 1.9))
END
