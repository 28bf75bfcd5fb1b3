#!/usr/bin/env bash
# Guess: reading a folder with bag.db3 and the bag.db3-wal beside it gives every message, as any SQLite client does.
# Instead: rosbags opens the file as immutable, so SQLite ignores the log. What was committed to it alone is missing, without
# a word, and message_count (from metadata.yaml) still counts it.
# Bites: a bag of a robot that lost power while recording. Do: sqlite3 bag.db3 'PRAGMA wal_checkpoint(TRUNCATE)' first.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rosbags==0.11.9
v/bin/python - << 'END'
from importlib.metadata import version
import sqlite3, sys
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

store, kind = get_typestore(Stores.ROS2_JAZZY), "std_msgs/msg/String"
with Writer("bag", version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
    topic = writer.add_connection("/chatter", kind, typestore=store)
    for stamp in range(3):
        writer.write(topic, stamp, store.serialize_cdr(store.types[kind](data=str(stamp)), kind))

bag = sqlite3.connect("bag/bag.db3", isolation_level=None)
bag.execute("PRAGMA journal_mode=WAL"), bag.execute("PRAGMA wal_autocheckpoint=0")
bag.execute("INSERT INTO messages(topic_id, timestamp, data) SELECT topic_id, 3, data FROM messages WHERE timestamp = 2")

def read():
    with Reader("bag") as reader:
        return [stamp for _, stamp, _ in reader.messages()]

before = read()
bag.execute("PRAGMA wal_checkpoint(TRUNCATE)")
after = read()
print("rosbags", version("rosbags"), "| guessed: 4 messages | seen:", len(before), "| after a checkpoint:", len(after))
if (len(before), len(after)) != (3, 4): sys.exit("changed: the write-ahead log is read, or the checkpoint does not help")
END
