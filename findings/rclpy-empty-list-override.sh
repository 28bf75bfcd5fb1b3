#!/usr/bin/env bash
# Guess: `weights: []` in a parameter file gives a parameter declared as [1.0] the empty list.
# Instead: the parameter loses type and value. declare_parameter returns one of type NOT_SET, whose value is None, although the
# same empty list is refused (wrong type) when set at run time.
# Bites: "no excluded topics" in a launch file: iterating over None ends the node. Do: treat None as empty, or use [""] in files.
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
from rclpy.parameter import Parameter

with open("node.yaml", "w") as file:
    file.write("/**:\n  ros__parameters:\n    weights: []\n")
rclpy.init()
node = Node("camera", cli_args=["--ros-args", "--params-file", "node.yaml"])
declared = node.declare_parameter("weights", [1.0])
other = Node("other")
other.declare_parameter("weights", [1.0])
set_later = other.set_parameters([Parameter("weights", value=[])])[0]
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: [] | seen:", declared.type_.name, declared.value, "| set at run time:", set_later.reason)
if declared.value is not None or set_later.successful: sys.exit("changed: an empty list is treated differently now")
END
