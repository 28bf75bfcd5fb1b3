#!/usr/bin/env bash
# Guess: a publisher's lifespan of 0.2 s keeps a subscriber that looks 0.6 s later from getting the old message.
# Instead: on a live connection only the subscription's own lifespan counts; the publisher's is not applied on that side.
# Bites: stale images or poses are worked on after a pause although the driver set a lifespan.
# Do: set the lifespan on the subscription, or compare header.stamp with now.
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
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Int32

short, endless = QoSProfile(depth=5, lifespan=Duration(seconds=0.2)), QoSProfile(depth=5)

def received(topic, publisher_profile, subscription_profile):
    node, got = Node("node"), []
    publisher = node.create_publisher(Int32, topic, publisher_profile)
    node.create_subscription(Int32, topic, lambda message: got.append(message.data), subscription_profile)
    while publisher.get_subscription_count() < 1: time.sleep(0.05)
    publisher.publish(Int32(data=1))
    time.sleep(0.6)
    rclpy.spin_once(node, timeout_sec=0.2)
    node.destroy_node()
    return got

rclpy.init()
seen = received("a", short, endless), received("b", endless, short)
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: [] [] | seen: lifespan on the publisher", seen[0], "on the subscription", seen[1])
if seen != ([1], []): sys.exit("changed: the lifespan of the other side counts now")
END
