#!/usr/bin/env bash
# Guess: `bundle: null` (or ~) leaves a string parameter unset, or is refused.
# Instead: rcl's own YAML reader knows no null: the values are the strings "null" and "~".
# Bites: "no map" in a file becomes a file called null; ~ suggests a home folder and is not one. Do: write "".
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

with open("node.yaml", "w") as file:
    file.write("/**:\n  ros__parameters:\n    bundle: null\n    folder: ~\n    count: 1_000\n")
rclpy.init()
node = Node("camera", cli_args=["--ros-args", "--params-file", "node.yaml"])
seen = [node.declare_parameter(name, "default").value for name in ("bundle", "folder", "count")]
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: default, default, a type error | seen:", *map(repr, seen))
if seen != ["null", "~", "1_000"]: sys.exit("changed: null, ~ or 1_000 is read differently now")
END
