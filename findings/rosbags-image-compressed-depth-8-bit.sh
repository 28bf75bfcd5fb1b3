#!/usr/bin/env bash
# Guess: a CompressedImage with format "16UC1; png compressed " gives a 16-bit picture, as cv_bridge's and PNG are lossless.
# Instead: the PNG is decoded to eight bits: 60000 comes back as 234, 200 as 0.
# Bites: depth in millimetres and 16-bit thermal cameras: everything nearer than 256 mm is 0, and no unit is right.
# Do: cv2.imdecode(data, cv2.IMREAD_UNCHANGED).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rosbags-image==0.10.4 rosbags==0.11.9 opencv-python-headless==4.12.0.88 numpy==2.2.6
v/bin/python - << 'END'
from importlib.metadata import version
import cv2, numpy as np, sys
from rosbags.image import message_to_cvimage
from rosbags.typesys import Stores, get_typestore

types = get_typestore(Stores.ROS2_JAZZY).types
header = types["std_msgs/msg/Header"](stamp=types["builtin_interfaces/msg/Time"](sec=0, nanosec=0), frame_id="camera")
png = cv2.imencode(".png", np.array([[200, 1500, 60000]], np.uint16))[1].ravel()
message = types["sensor_msgs/msg/CompressedImage"](header=header, format="16UC1; png compressed ", data=png)
seen = message_to_cvimage(message)
print("rosbags-image", version("rosbags-image"), "| guessed: uint16 [200, 1500, 60000] | seen:", seen.dtype, seen.ravel().tolist())
print("IMREAD_UNCHANGED:", cv2.imdecode(png, cv2.IMREAD_UNCHANGED).ravel().tolist())
if seen.dtype != np.uint8 or seen.ravel().tolist() != [0, 5, 234]: sys.exit("changed: 16-bit pictures are decoded differently now")
END
