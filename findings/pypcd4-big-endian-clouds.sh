#!/usr/bin/env bash
# Guess: PointCloud.from_msg looks at is_bigendian.
# Instead: it does not, and every coordinate becomes a number like 4.6e-41. The package pointcloud2 reads the same message well.
# Bites: clouds relayed from a big-endian machine: an empty-looking map, all at the origin.
# Do: swap first, or read with pointcloud2.read_points.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pypcd4==1.5.1 pointcloud2==0.6.0 rosbags==0.11.9 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys
from pointcloud2 import read_points
from pypcd4 import PointCloud
from rosbags.typesys import Stores, get_typestore

types = get_typestore(Stores.ROS2_JAZZY).types
header = types["std_msgs/msg/Header"](stamp=types["builtin_interfaces/msg/Time"](sec=0, nanosec=0), frame_id="lidar")
fields = [types["sensor_msgs/msg/PointField"](name=n, offset=4 * i, datatype=7, count=1) for i, n in enumerate("xyz")]
message = types["sensor_msgs/msg/PointCloud2"](header=header, height=1, width=1, fields=fields, is_bigendian=True,
    point_step=12, row_step=12, data=np.array([1, 2, 3], ">f4").view(np.uint8), is_dense=True)
seen, other = PointCloud.from_msg(message).numpy()[0], read_points(message)[0]
print("pypcd4", version("pypcd4"), "| guessed: 1, 2, 3 | seen:", *seen, "| pointcloud2", version("pointcloud2"), "reads", other)
if seen.max() > 1e-30 or tuple(other) != (1.0, 2.0, 3.0): sys.exit("changed: the byte order is treated differently now")
END
