#!/usr/bin/env bash
# Guess: numpify(Pose()) of the pose that is no turn is the identity, and msgify(Pose, identity) is that pose.
# Instead: x, y, z, w is handed to functions that want w first: numpify gives half a turn about z, msgify gives x = 1, w = 0.
# There and back cancels, so a round-trip test passes.
# Bites: every pose converted one way. Do: scipy's Rotation.from_quat (x, y, z, w) by hand. (Its numpy needs Python 3.11 at most.)
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-geometry-msgs==5.3.6 ros-jazzy-sensor-msgs==5.3.6 ros-jazzy-nav-msgs==5.3.6 ros2-numpy==0.0.5 transformations==2026.1.18 numpy==1.24.2
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys
import ros2_numpy
from geometry_msgs.msg import Pose

matrix, pose = ros2_numpy.numpify(Pose()), ros2_numpy.msgify(Pose, np.eye(4))
print("ros2-numpy", version("ros2-numpy"), "| guessed: diag 1 1 1 1, w = 1 | seen: diag", np.diag(matrix), "and", pose.orientation)
if not np.allclose(matrix, np.diag([-1, -1, 1, 1])) or pose.orientation.x != 1: sys.exit("changed: quaternions are of another order now")
END
