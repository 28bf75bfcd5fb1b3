#!/usr/bin/env bash
# Guess: an executor that was shut down raises its ShutdownException from spin_once and create_task.
# Instead: spin_once returns at once and says nothing, whatever its timeout; create_task and add_node raise AttributeError of NoneType.
# Bites: `while rclpy.ok(): executor.spin_once(timeout_sec=1)` in a thread becomes a busy loop when another thread shuts the executor
# down; a callback that hands over work meanwhile dies of 'trigger'. Do: leave the loop by a flag of your own, or shut the context down.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-std-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys, time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

rclpy.init()
executor = SingleThreadedExecutor()
executor.add_node(Node("camera"))
executor.shutdown()
start = time.monotonic()
for _ in range(1000): executor.spin_once(timeout_sec=1)
seconds = time.monotonic() - start
try:
    executor.create_task(print, "done")
    error = None
except Exception as raised:
    error = raised
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: ShutdownException twice | seen: 1000 spins of one second in %.2f s;" % seconds, repr(error))
if not (seconds < 10 and rclpy.ok() and isinstance(error, AttributeError)): sys.exit("changed: an executor that was shut down does something else now")
END
