#!/usr/bin/env bash
# Guess: a lifecycle publisher that is not active warns when publish is called, as rclcpp's does.
# Instead: rclpy's returns as if all were well: no exception, no line of log, no message.
# Bites: a managed node ported from C++, or started without its manager: pose topics exist and stay empty.
# Do: log is_activated beside the first publish.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-std-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import contextlib, os, rclpy, sys, time
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from std_msgs.msg import Int32

rclpy.init()
node, listener, got = LifecycleNode("managed"), Node("listener"), []
publisher = node.create_lifecycle_publisher(Int32, "pose", 5)
listener.create_subscription(Int32, "pose", lambda message: got.append(message.data), 5)
node.trigger_configure()
while publisher.get_subscription_count() < 1: time.sleep(0.05)
log = os.open("log", os.O_RDWR | os.O_CREAT)
stderr = os.dup(2)
os.dup2(log, 2)
outcome = publisher.publish(Int32(data=1))
os.dup2(stderr, 2)
node.trigger_activate()
publisher.publish(Int32(data=2))
end = time.monotonic() + 1
while time.monotonic() < end: rclpy.spin_once(listener, timeout_sec=0.1)
written = os.path.getsize("log")
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: a warning | seen: publish returned", outcome, "| bytes of log:", written, "| received:", got)
if written or got != [2]: sys.exit("changed: publishing while inactive is treated differently now")
END
