#!/usr/bin/env bash
# Guess: count_publishers("image") and get_publishers_info_by_topic("image") speak of one topic; by their documentation of the name
# before remapping.
# Instead: with image remapped to /front/image_raw the first counts those of /image, the second lists those of /front/image_raw.
# Bites: "is there a camera?" is answered no by one and yes by the other, for the topic that the node itself subscribes to.
# Do: ask both about node.resolve_topic_name("image").
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
from sensor_msgs.msg import Image

rclpy.init()
node = Node("viewer", cli_args=["--ros-args", "-r", "image:=/front/image_raw"])
camera = rclpy.create_node("camera").create_publisher(Image, "/front/image_raw", 1)
subscription = node.create_subscription(Image, "image", print, 1)
for _ in range(50):
    rclpy.spin_once(node, timeout_sec=0.1)
    if node.count_publishers(subscription.topic_name): break
seen = [(node.count_publishers(name), len(node.get_publishers_info_by_topic(name)))
        for name in ("image", node.resolve_topic_name("image"))]
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: equal numbers | seen (count, info) of image:", seen[0], "of its resolved name:", seen[1])
if seen != [(0, 1), (1, 1)]: sys.exit("changed: names are remapped in another way now")
END
