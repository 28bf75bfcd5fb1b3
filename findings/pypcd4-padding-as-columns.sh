#!/usr/bin/env bash
# Guess: PointCloud.from_msg(...).numpy() has the columns x, y, z, whatever lies between them in memory.
# Instead: every byte of padding is a column of its own. With x, y, z at offsets 4, 8, 12 the first four columns are padding.
# Bites: depth cameras and PCL publish 16-byte or 32-byte points; numpy()[:, :3] is then not x, y, z.
# Do: numpy(("x", "y", "z")).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pypcd4==1.5.1 rosbags==0.11.9 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys
from pypcd4 import PointCloud
from rosbags.typesys import Stores, get_typestore

types = get_typestore(Stores.ROS2_JAZZY).types
header = types["std_msgs/msg/Header"](stamp=types["builtin_interfaces/msg/Time"](sec=0, nanosec=0), frame_id="camera")
fields = [types["sensor_msgs/msg/PointField"](name=n, offset=o, datatype=7, count=1) for n, o in (("x", 4), ("y", 8), ("z", 12))]
points = np.zeros((2, 4), np.float32)
points[:, 1:] = [[1, 2, 3], [4, 5, 6]]
cloud = PointCloud.from_msg(types["sensor_msgs/msg/PointCloud2"](header=header, height=1, width=2, fields=fields,
    is_bigendian=False, point_step=16, row_step=32, data=points.view(np.uint8).ravel(), is_dense=True))
seen, by_name = cloud.numpy(), cloud.numpy(("x", "y", "z"))
print("pypcd4", version("pypcd4"), "| guessed: [[1, 2, 3], [4, 5, 6]] | seen:", seen.tolist(), "| by name:", by_name.tolist())
if seen.shape != (2, 7) or by_name.tolist() != points[:, 1:].tolist(): sys.exit("changed: padding is treated differently now")
END
