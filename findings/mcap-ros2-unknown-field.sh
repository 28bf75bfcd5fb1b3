#!/usr/bin/env bash
# Guess: writing {"K": [...]} (ROS 1's spelling) to a type whose field is "k" is refused, as rosbags refuses it.
# Instead: keys that the definition lacks are dropped and fields that the dictionary lacks get their default, in silence.
# Bites: a camera_info written this way has a zero intrinsic matrix, ROS's sign for an uncalibrated camera.
# Do: compare the dictionary's keys with the definition's fields before write_message.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq mcap-ros2-support==0.6.0
v/bin/python - << 'END'
from importlib.metadata import version
import io, sys
from mcap_ros2.reader import read_ros2_messages
from mcap_ros2.writer import Writer

file = io.BytesIO()
writer = Writer(file)
schema = writer.register_msgdef("my_msgs/msg/Camera", "uint32 width\nfloat64[9] k")
writer.write_message("/camera", schema, {"width": 640, "K": [500.0, 0, 320, 0, 500, 240, 0, 0, 1]})
writer.finish()
file.seek(0)
(message,) = [m.ros_msg for m in read_ros2_messages(file)]
print("mcap-ros2-support", version("mcap-ros2-support"), "| guessed: an error | seen: width", message.width, "k", list(message.k))
if list(message.k) != [0.0] * 9: sys.exit("changed: an unknown key is no longer dropped in silence")
END
