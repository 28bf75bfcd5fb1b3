#!/usr/bin/env bash
# Guess: parameter_dict_from_yaml_file, which load_parameter_file of AsyncParameterClient uses, reads a file as --params-file does.
# Instead: one is PyYAML's reading and a second guess, the other rcl's own: 1e-3 is a string there and a double here, '5' in quotes the
# integer 5 and the string, null the string None and the string null, 1:30 the number 90 and the string.
# Bites: a file that starts a node well is refused, or means something else, when it is loaded into the running node.
# Do: write 1.0e-3; avoid strings that look like numbers.
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
from rclpy.parameter import Parameter, parameter_dict_from_yaml_file

rclpy.init()
seen = {}
for text in ("0.001", "1e-3", "'5'", "null", "1:30", "1_000"):
    with open("node.yaml", "w") as file: file.write(f"/**:\n  ros__parameters:\n    it: {text}\n")
    node = Node("camera", cli_args=["--ros-args", "--params-file", "node.yaml"], automatically_declare_parameters_from_overrides=True)
    seen[text] = node.get_parameter("it").value, Parameter.from_parameter_msg(parameter_dict_from_yaml_file("node.yaml", use_wildcard=True)["it"]).value
    node.destroy_node()
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: equal pairs | seen (--params-file, parameter_dict_from_yaml_file):", seen)
if seen != {"0.001": (0.001, 0.001), "1e-3": (0.001, "1e-3"), "'5'": ("5", 5), "null": ("null", "None"), "1:30": ("1:30", 90), "1_000": ("1_000", 1000)}:
    sys.exit("changed: one of the two reads parameter files differently now")
END
