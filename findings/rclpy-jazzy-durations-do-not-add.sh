#!/usr/bin/env bash
# Guess: Duration + Duration, Duration * 2 and -Duration work in Jazzy, the long-term release, as in C++; a Time can be a key
# of a dictionary.
# Instead: Jazzy's Duration can only be compared and added to a Time (Kilted has + and *), and a Time cannot be hashed.
# Bites: tolerances and latencies summed up, caches by stamp: TypeError on the robot, not on a newer laptop.
# Do: compute with .nanoseconds.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6'
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import sys
from rclpy.duration import Duration
from rclpy.time import Time

second = Duration(seconds=1)
attempts = {"add": lambda: second + second, "times 2": lambda: second * 2, "negate": lambda: -second, "to a time": lambda: Time() + second, "hash a time": lambda: hash(Time())}
seen = {}
for name, attempt in attempts.items():
    try:
        attempt()
        seen[name] = "works"
    except TypeError:
        seen[name] = "TypeError"
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: all work | seen:", seen)
if list(seen.values()) != ["TypeError"] * 3 + ["works", "TypeError"]: sys.exit("changed: durations can do more or less now")
END
