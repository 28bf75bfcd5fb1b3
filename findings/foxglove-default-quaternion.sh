#!/usr/bin/env bash
# Guess: foxglove's Quaternion() is no turn (w = 1), like geometry_msgs/Quaternion and most maths libraries.
# Instead: it is 0, 0, 0, 0, no rotation at all, and it is logged so.
# Bites: Pose(position=..., orientation=Quaternion()) written beside ROS topics: whoever normalises it divides by zero.
# Do: always write w=1.0.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq foxglove-sdk==0.30.3
v/bin/python - << 'END'
from importlib.metadata import version
import sys
from foxglove.messages import Pose, Quaternion

seen = repr(Quaternion())
print("foxglove-sdk", version("foxglove-sdk"), "| guessed: w=1.0 | seen:", seen, "| logged:", Pose(orientation=Quaternion()).encode().hex() or "nothing")
if "w=0.0" not in seen: sys.exit("changed: the default quaternion is another one now")
END
