#!/usr/bin/env bash
# Guess: AnyReader over two bags that carry different definitions of one message type refuses, or decodes each by its own.
# Instead: one definition wins for both. Messages of the other bag are decoded by it without an error: fields swap meaning.
# Bites: own messages (a status, a stamped pose) whose fields were reordered between two recordings, read in one go.
# Do: open each bag with its own AnyReader.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rosbags==0.11.9 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import sys
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from pathlib import Path

def record(folder, definition):
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(definition, "my_msgs/msg/Sigma"))
    with Writer(folder, version=9) as writer:
        topic = writer.add_connection("/sigma", "my_msgs/msg/Sigma", typestore=store)
        message = store.types["my_msgs/msg/Sigma"](position=0.01, rotation=5.0)
        writer.write(topic, 1, store.serialize_cdr(message, "my_msgs/msg/Sigma"))

record("spring", "float64 position\nfloat64 rotation")
record("autumn", "float64 rotation\nfloat64 position")

def positions(*folders):
    with AnyReader([Path(folder) for folder in folders]) as reader:
        return [reader.deserialize(data, c.msgtype).position for c, _, data in reader.messages()]

alone, together = positions("spring") + positions("autumn"), positions("spring", "autumn")
print("rosbags", version("rosbags"), "| guessed:", alone, "or a refusal | seen:", together)
if alone != [0.01, 0.01] or sorted(together) != [0.01, 5.0]: sys.exit("changed: both bags are no longer decoded by one definition")
END
