#!/usr/bin/env bash
# Guess: message_to_cvimage honours Image.step, the length of a row with its padding, as cv_bridge does.
# Instead: step is not looked at; height x width pixels are taken from the front, so the picture is sheared by the padding.
# Bites: drivers that align rows (widths not divisible by 4 or 64): the offline result differs from the robot's.
# Do: np.frombuffer(data, np.uint8).reshape(height, step)[:, :width * channels] by hand.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rosbags-image==0.10.4 rosbags==0.11.9 opencv-python-headless==4.12.0.88 numpy==2.2.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys
from rosbags.image import message_to_cvimage
from rosbags.typesys import Stores, get_typestore

types = get_typestore(Stores.ROS2_JAZZY).types
header = types["std_msgs/msg/Header"](stamp=types["builtin_interfaces/msg/Time"](sec=0, nanosec=0), frame_id="camera")
rows = np.array([[1, 2, 3, 99], [4, 5, 6, 99]], np.uint8)  # three pixels and one byte of padding
message = types["sensor_msgs/msg/Image"](header=header, height=2, width=3, encoding="mono8", is_bigendian=0, step=4, data=rows.ravel())
seen = message_to_cvimage(message).tolist()
print("rosbags-image", version("rosbags-image"), "| guessed: [[1, 2, 3], [4, 5, 6]] | seen:", seen)
if seen != [[1, 2, 3], [99, 4, 5]]: sys.exit("changed: the padding of rows is treated differently now")
END
