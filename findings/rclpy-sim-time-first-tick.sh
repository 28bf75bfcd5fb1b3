#!/usr/bin/env bash
# Guess: with use_sim_time a timer of 60 s fires 60 s after the first /clock message.
# Instead: the clock is at 0 until then, so its first message is a jump over every period: all timers fire at once, and
# then at multiples of their period since 0.
# Bites: "lost for a minute" alarms and one-shot initialisation run before the first image of a bag. Do: in the callback compare
# now with a time taken when the clock first was not 0.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-rosgraph-msgs==2.0.3
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys, time
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

rclpy.init()
node, fired = Node("node", parameter_overrides=[Parameter("use_sim_time", value=True)]), []
publisher = node.create_publisher(Clock, "/clock", 1)
node.create_timer(60.0, lambda: fired.append(node.get_clock().now().nanoseconds // 10**9))
while publisher.get_subscription_count() < 1: time.sleep(0.05)
for second in (1000, 1001, 1030, 1062):
    publisher.publish(Clock(clock=Time(sec=second)))
    end = time.monotonic() + 0.5
    while time.monotonic() < end: rclpy.spin_once(node, timeout_sec=0.05)
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: fires at [1062] | seen: fires at", fired)
if not fired or fired[0] != 1000: sys.exit("changed: the first tick does not fire the timer any more")
END
