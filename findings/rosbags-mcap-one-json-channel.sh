#!/usr/bin/env bash
# Guess: a channel in another encoding than ROS's is left out, or raises where it is read; the others of the file are read.
# Instead: a single channel with a JSON schema beside them makes the whole file unreadable: KeyError 'jsonschema' on opening.
# (A channel without a schema does no harm.)
# Bites: recorders and bridges that write notes, metrics or health beside the images: none of the images can be had.
# Do: copy the ROS channels into a file of their own with the mcap package, and read that.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rosbags==0.11.9 mcap==1.6.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
from pathlib import Path
from mcap.reader import make_reader
from mcap.writer import Writer
from rosbags.highlevel import AnyReader

def topics_read(name, note):
    with open(name, "wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        text = writer.register_channel("/text", "cdr", writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data"))
        writer.add_message(text, 1, b"\0\1\0\0\2\0\0\0a\0", 1)
        notes = writer.register_channel("/note", "json", writer.register_schema("Note", *note) if note else 0)
        writer.add_message(notes, 2, b"{}", 2)
        writer.finish()
    with open(name, "rb") as file: by_mcap = sum(1 for _ in make_reader(file).iter_messages())
    try:
        with AnyReader([Path(name)]) as reader: return by_mcap, [connection.topic for connection in reader.connections]
    except KeyError as error: return by_mcap, repr(error)

seen = topics_read("schema.mcap", ("jsonschema", b'{"type": "object"}')), topics_read("none.mcap", None)
print("rosbags", version("rosbags"), "| guessed: /text can be read from both | seen (messages by mcap, topics by rosbags):",
      "with a JSON schema", seen[0], "without", seen[1])
if seen != ((2, "KeyError('jsonschema')"), (2, ["/text", "/note"])): sys.exit("changed: rosbags takes a JSON channel differently")
END
