#!/usr/bin/env bash
# Guess: an exception in on_configure is logged with its traceback before the node goes through on_error.
# Instead: the text is lost. trigger_configure returns ERROR, the state is unconfigured again, and nothing says why.
# Bites: "could not load the map" is invisible; the manager retries for ever. Do: wrap the body in try and log it yourself.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6'
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import os, rclpy, sys
from rclpy.lifecycle import LifecycleNode

class Camera(LifecycleNode):
    def on_configure(self, state):
        raise RuntimeError("no bundle at /maps/hall")

rclpy.init()
node = Camera("camera")
log = os.open("log", os.O_RDWR | os.O_CREAT)
keep = os.dup(1), os.dup(2)
os.dup2(log, 1), os.dup2(log, 2)
outcome = node.trigger_configure()
os.dup2(keep[0], 1), os.dup2(keep[1], 2)
with open("log") as file:
    text = file.read()
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: the traceback | seen:", outcome.name, "and", len(text), "characters of output:", repr(text[:80]))
if "no bundle" in text or outcome.name != "ERROR": sys.exit("changed: the exception is reported now")
END
