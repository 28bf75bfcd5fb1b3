#!/usr/bin/env bash
# Guess: serialize_cdr refuses, or converts, an array whose dtype is not the field's. It does refuse float32 for float64[].
# Instead: only the item size is compared. An int64 or big-endian array has eight bytes too, and its bits are written as they
# are: an intrinsic matrix typed in whole numbers, np.array([500, 0, 320, ...]), is read back as 2.5e-321.
# Bites: camera_info written into a bag without ROS. Do: np.asarray(k, np.float64) on every array field before writing.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rosbags==0.11.9 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys
from rosbags.typesys import Stores, get_typestore

store = get_typestore(Stores.ROS2_JAZZY)
types, name = store.types, "sensor_msgs/msg/CameraInfo"
stamp = types["builtin_interfaces/msg/Time"](sec=1, nanosec=2)
header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
roi = types["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)

def there_and_back(k):
    info = types[name](header=header, height=480, width=640, distortion_model="plumb_bob", d=np.zeros(5), k=k,
        r=np.eye(3).ravel(), p=np.zeros(12), binning_x=0, binning_y=0, roi=roi)
    return store.deserialize_cdr(store.serialize_cdr(info, name), name).k

k = np.array([500, 0, 320, 0, 500, 240, 0, 0, 1])
seen = there_and_back(k)
print("rosbags", version("rosbags"), "| guessed: an error, or fx = 500.0 | seen: fx =", seen[0])
try:
    there_and_back(k.astype(np.float32))
    sys.exit("changed: float32 for float64[] is no longer refused")
except ValueError as error:
    print("float32 for float64[]:", error)
if not 0 < seen[0] < 1e-300: sys.exit("changed: whole numbers no longer come back as denormals")
END
