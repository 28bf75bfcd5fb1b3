#!/usr/bin/env bash
# Guess: asking a greyscale JPEG for "mono8" gives it as it is, and for "bgr8" three equal channels.
# Instead: every compressed picture is taken for BGR. "bgr8" gives the two-dimensional picture unchanged, and "mono8" raises
# cv2.error about the number of channels.
# Bites: greyscale cameras with compressed transport, read for a detector that wants grey.
# Do: ask for no encoding and convert by the number of dimensions.
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
jpeg = cv2.imencode(".jpg", np.full((8, 8), 7, np.uint8))[1].ravel()
message = types["sensor_msgs/msg/CompressedImage"](header=header, format="mono8; jpeg compressed ", data=jpeg)

def shape(encoding):
    try:
        return message_to_cvimage(message, encoding).shape
    except Exception as error:
        return type(error).__name__

seen = shape(None), shape("bgr8"), shape("mono8")
print("rosbags-image", version("rosbags-image"), "| guessed: (8, 8) (8, 8, 3) (8, 8) | seen: none, bgr8, mono8:", *seen)
if seen != ((8, 8), (8, 8), "error"): sys.exit("changed: a greyscale JPEG is converted differently now")
END
