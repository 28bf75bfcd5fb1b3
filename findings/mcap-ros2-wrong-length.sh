#!/usr/bin/env bash
# Guess: float64[12] given nine numbers, string[<=2] given three, or uint32 given 2.7 is refused.
# Instead: short arrays are filled with zeros (the caller's own list too), long and bounded ones cut, floats cut to integers.
# Bites: a 3x3 matrix put into camera_info's 3x4 p shifts every row, and the file is valid ever after.
# Do: check lengths before write_message; expect no help from the encoder.
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
schema = writer.register_msgdef("my_msgs/msg/Camera", "uint32 width\nfloat64[12] p\nfloat64[9] k\nstring[<=2] names")
k = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
given = list(k)
writer.write_message("/camera", schema, {"width": 2.7, "p": given, "k": k + [7.0], "names": ["left", "right", "depth"]})
writer.finish()
file.seek(0)
(message,) = [m.ros_msg for m in read_ros2_messages(file)]
print("mcap-ros2-support", version("mcap-ros2-support"), "| guessed: an error | seen:")
print("  p", list(message.p), "\n  k", list(message.k), "\n  names", list(message.names), "width", message.width, "\n  the list given for p has", len(given))
if (list(message.p), list(message.k), list(message.names), message.width) != (k + [0.0] * 3, k, ["left", "right"], 2):
    sys.exit("changed: a wrong length or type is treated differently now")
if len(given) != 12: sys.exit("changed: the caller's list is no longer lengthened")
END
