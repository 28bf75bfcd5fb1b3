#!/usr/bin/env bash
# Guess: reliable with KEEP_ALL loses nothing, and KEEP_LAST with depth 6000 keeps the last 6000.
# Instead: Fast DDS's default limit is 5000 samples, whatever the profile says. Of 6000 messages the FIRST 5000 arrive, with
# KEEP_LAST too, and neither publish nor an event says a word.
# Bites: a whole bag or an IMU stream pushed through one topic for an evaluation. Do: wait for the reader, or raise
# resource_limits in an XML profile.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-std-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys, time
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Int32

rclpy.init()

def arrived(topic, **history):
    profile = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, **history)
    node, got = Node("node"), []
    publisher = node.create_publisher(Int32, topic, profile)
    node.create_subscription(Int32, topic, lambda message: got.append(message.data), profile)
    while publisher.get_subscription_count() < 1: time.sleep(0.05)
    for number in range(6000): publisher.publish(Int32(data=number))
    quiet = time.monotonic() + 2
    while time.monotonic() < quiet:
        count = len(got)
        rclpy.spin_once(node, timeout_sec=0.2)
        if len(got) > count: quiet = time.monotonic() + 2
    node.destroy_node()
    return len(got), got[0], got[-1]

seen = arrived("all", history=HistoryPolicy.KEEP_ALL), arrived("last", depth=6000)
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: 6000, 0 to 5999, twice | seen (count, first, last):", *seen)
if seen != ((5000, 0, 4999), (5000, 0, 4999)): sys.exit("changed: another number of messages arrives now")
END
