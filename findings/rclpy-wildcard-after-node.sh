#!/usr/bin/env bash
# Guess: in a parameter file the entry of the node's own full name outweighs /**, wherever each stands.
# Instead: the later entry wins, so /** below the node's own block (or in a later --params-file) overrides it.
# Bites: a fleet's common.yaml given last resets the one robot's camera settings. Do: put /** first, in files and on the line.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6'
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys
from rclpy.node import Node

ours = "/robot/camera:\n  ros__parameters:\n    rate: 30\n"
all_nodes = "/**:\n  ros__parameters:\n    rate: 1\n"

def rate(*texts):
    arguments = ["--ros-args"]
    for number, text in enumerate(texts):
        with open(f"{number}.yaml", "w") as file:
            file.write(text)
        arguments += ["--params-file", f"{number}.yaml"]
    node = Node("camera", namespace="/robot", cli_args=arguments)
    value = node.declare_parameter("rate", 0).value
    node.destroy_node()
    return value

rclpy.init()
seen = rate(all_nodes + ours), rate(ours + all_nodes), rate(ours, all_nodes)
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: 30 30 30 | seen:", *seen)
if seen != (30, 1, 1): sys.exit("changed: the order of entries counts differently now")
END
