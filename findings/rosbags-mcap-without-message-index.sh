#!/usr/bin/env bash
# Guess: an MCAP whose chunks have no message indexes (they are optional) reads slower, or is refused.
# Instead: rosbags reports the right message_count and then yields nothing. mcap's own reader yields all.
# Bites: recordings of small loggers that leave indexes out: the evaluation runs on no image at all.
# Do: compare the number read with reader.message_count; read such a file with mcap, or rewrite it.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rosbags==0.11.9 mcap==1.6.0
v/bin/python - << 'END'
from importlib.metadata import version
import sys
from mcap.reader import make_reader
from mcap.writer import IndexType, Writer
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

store, kind = get_typestore(Stores.ROS2_JAZZY), "std_msgs/msg/String"
writer = Writer("bag.mcap", index_types=IndexType.ALL & ~IndexType.MESSAGE)
writer.start("ros2")
schema = writer.register_schema(kind, "ros2msg", b"string data")
channel = writer.register_channel("/chatter", "cdr", schema)
for stamp in range(4):
    writer.add_message(channel, stamp, bytes(store.serialize_cdr(store.types[kind](data="x"), kind)), stamp)
writer.finish()

with Reader("bag.mcap") as reader:
    counted, read = reader.message_count, len(list(reader.messages()))
with open("bag.mcap", "rb") as file:
    by_mcap = len(list(make_reader(file).iter_messages()))
print(f"rosbags {version('rosbags')}, mcap {version('mcap')} | guessed: 4 messages | seen: message_count {counted}, read {read}, by mcap {by_mcap}")
if (counted, read, by_mcap) != (4, 0, 4): sys.exit("changed: rosbags no longer reads such a file as empty, or mcap does")
END
