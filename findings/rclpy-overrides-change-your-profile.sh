#!/usr/bin/env bash
# Guess: an override qos_overrides./front.subscription.depth concerns that subscription alone.
# Instead: it is written into the QoSProfile that was passed. Whatever is made of the same object afterwards has it as well, and
# declares it as its own default, although only the one topic was named; what was made before has not.
# Bites: one profile for all cameras of a node, and qos_profile_sensor_data, which is one object for the whole process: a depth or
# reliability meant for one is another's too, by the order of the calls. Do: pass copy.copy(profile) to each.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-sensor-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data as profile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image

rclpy.init()
node = Node("fusion", cli_args=["--ros-args", "-p", "qos_overrides./front.subscription.depth:=7",
    "-p", "qos_overrides./front.subscription.reliability:=reliable"])
for topic in ("front", "rear"):
    node.create_subscription(Image, topic, print, profile, qos_overriding_options=QoSOverridingOptions.with_default_policies())
(rear,) = node.get_subscriptions_info_by_topic("/rear")
depth = node.get_parameter("qos_overrides./rear.subscription.depth").value
print("rclpy", version("ros-jazzy-rclpy"), "| guessed for rear: BEST_EFFORT, 5 | seen:", rear.qos_profile.reliability.name, depth,
      "| qos_profile_sensor_data is now:", profile.reliability.name, profile.depth)
if (rear.qos_profile.reliability.name, depth, profile.depth) != ("RELIABLE", 7, 7):
    sys.exit("changed: an override is kept from other subscriptions now")
END
