#!/usr/bin/env bash
# Guess: Executor.shutdown(timeout_sec=5) waits for a callback that runs and returns True when it has ended, as documented.
# Instead: where another thread spins, shutdown of the single- and of the multi-threaded executor returns True at once, while
# the callback runs on.
# Bites: what follows frees the engine, the camera or the node under a running callback; seen as rare faults at the end only.
# Do: join the thread that spins after shutdown(), before anything is destroyed.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-std-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import rclpy, sys, threading, time
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, ShutdownException, SingleThreadedExecutor
from rclpy.node import Node

def outcome(executor):
    node, state = Node("node"), []
    def work():
        state.append("begun")
        time.sleep(1.5)
        state.append("ended")
    def spin():
        try: executor.spin()
        except (ExternalShutdownException, ShutdownException): pass
    node.create_timer(0.05, work)
    executor.add_node(node)
    spinning = threading.Thread(target=spin)
    spinning.start()
    while not state: time.sleep(0.01)
    finished = executor.shutdown(timeout_sec=5), list(state)
    spinning.join()
    node.destroy_node()
    return finished

rclpy.init()
seen = outcome(SingleThreadedExecutor()), outcome(MultiThreadedExecutor(2))
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: True with begun, ended | seen: single", seen[0], "multi", seen[1])
if seen != ((True, ["begun"]), (True, ["begun"])): sys.exit("changed: shutdown waits for callbacks now")
END
