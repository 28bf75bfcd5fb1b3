#!/usr/bin/env bash
# Guess: msgify(PointCloud2, {"xyz": points}) fills every field that readers need; frame and stamp stay mine to set.
# Instead: point_step and row_step are 0 (the data lie 12 bytes apart), frame_id is "base_link" and the stamp is now.
# Bites: RViz shows nothing or complains of the size, and a cloud with an old stamp's pose gets today's.
# Do: set point_step, row_step and the header after it. (Its numpy needs Python 3.11 at most.)
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
from sensor_msgs.msg import PointCloud2

cloud = ros2_numpy.msgify(PointCloud2, {"xyz": np.arange(6, dtype=np.float32).reshape(2, 3)})
seen = cloud.point_step, cloud.row_step, cloud.header.frame_id, cloud.header.stamp.sec > 0
print("ros2-numpy", version("ros2-numpy"), "| guessed: point_step 12, row_step 24, frame '' | seen:", *seen[:3], "| bytes:", len(cloud.data))
if seen != (0, 0, "base_link", True): sys.exit("changed: the fields of a cloud are filled differently now")
END
