#!/usr/bin/env bash
# Guess: a transient-local subscription that comes late gets the latched message, reliable or not: the two profiles match.
# Instead: a best-effort one never gets it. No event, no warning: Fast DDS sends history to reliable readers alone.
# Bites: latched camera_info, static TF or a status read with the sensor-data profile plus transient local.
# Do: ask for RELIABLE wherever TRANSIENT_LOCAL is asked for.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-rmw-fastrtps-cpp==8.4.3 ros-jazzy-std-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys, time
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Int32

def profile(reliability):
    return QoSProfile(depth=1, reliability=reliability, durability=DurabilityPolicy.TRANSIENT_LOCAL)

rclpy.init()
talker, listener, got = Node("talker"), Node("listener"), []
publisher = talker.create_publisher(Int32, "latched", profile(ReliabilityPolicy.RELIABLE))
publisher.publish(Int32(data=1))
for name, reliability in (("reliable", ReliabilityPolicy.RELIABLE), ("best effort", ReliabilityPolicy.BEST_EFFORT)):
    listener.create_subscription(Int32, "latched", lambda message, name=name: got.append(name), profile(reliability))
end = time.monotonic() + 2
while time.monotonic() < end:
    rclpy.spin_once(listener, timeout_sec=0.1)
publisher.publish(Int32(data=2))
matched = publisher.get_subscription_count()
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: both get it | matched:", matched, "| latched message seen by:", got)
if (matched, got) != (2, ["reliable"]): sys.exit("changed: another set of late subscriptions gets the latched message now")
END
