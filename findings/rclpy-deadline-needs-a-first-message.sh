#!/usr/bin/env bash
# Guess: a subscription with a deadline of 0.2 s, matched with a publisher that never sends, reports missed deadlines.
# Instead: the clock starts with the first message. A camera that never starts misses nothing; one that stops is reported.
# Bites: a watchdog made of the deadline event alone is silent in the commonest failure, a driver that comes up without a stream.
# Do: a timer beside it until the first image has come.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-std-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys, time
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Int32

rclpy.init()
profile = QoSProfile(depth=5, deadline=Duration(seconds=0.2))
node, missed = Node("node"), []
publisher = node.create_publisher(Int32, "image", profile)
node.create_subscription(Int32, "image", lambda message: None, profile,
    event_callbacks=SubscriptionEventCallbacks(deadline=lambda event: missed.append(event.total_count)))

def missed_in_a_second():
    missed.clear()
    end = time.monotonic() + 1
    while time.monotonic() < end: rclpy.spin_once(node, timeout_sec=0.05)
    return len(missed)

while publisher.get_subscription_count() < 1: time.sleep(0.05)
before = missed_in_a_second()
publisher.publish(Int32())
after = missed_in_a_second()
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: some and some | seen: missed before the first message", before, "| after one message", after)
if before or not after: sys.exit("changed: deadlines are counted from another moment now")
END
