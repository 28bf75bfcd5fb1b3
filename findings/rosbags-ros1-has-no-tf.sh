#!/usr/bin/env bash
# Guess: the store of ROS1_NOETIC holds the messages of a desktop install, as the ROS 2 stores do: tf2_msgs/TFMessage among them.
# Instead: it has no TFMessage at all, neither tf2_msgs' nor tf's, so /tf can be read from a ROS 1 bag (which carries its own
# definitions) but writing one raises KeyError.
# Bites: converting a dataset's poses to a ROS 1 bag. Do: store.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", ...)).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rosbags==0.11.9
v/bin/python - << 'END'
from importlib.metadata import version
import sys
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

name = "tf2_msgs/msg/TFMessage"
ros1, ros2 = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_JAZZY)
seen = [name in ros1.types, "tf/msg/tfMessage" in ros1.types, name in ros2.types]
print("rosbags", version("rosbags"), "| guessed: TFMessage in every store | seen: Noetic", seen[0], "(tf:", seen[1], ") Jazzy", seen[2])
if seen != [False, False, True]: sys.exit("changed: the stores have other transforms now")

ros1.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", name))
print("registered by hand:", name in ros1.types, "- md5", ros1.generate_msgdef(name)[1])
if ros1.generate_msgdef(name)[1] != "94810edda583a504dfda3829e70d7eec": sys.exit("changed: the definition by hand has another md5 sum than ROS 1's")
END
