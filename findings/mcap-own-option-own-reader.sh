#!/usr/bin/env bash
# Guess: a file from Writer(repeat_channels=False, repeat_schemas=False), which leaves copies of those records out of the
# summary, as the format allows, is read by make_reader of the same package.
# Instead: KeyError on the first message. NonSeekingReader, which reads from the beginning, is content.
# Bites: bags made small for sending. Do: leave both options alone, or read with NonSeekingReader.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq mcap==1.6.0
v/bin/python - << 'END'
from importlib.metadata import version
import sys
from mcap.reader import NonSeekingReader, make_reader
from mcap.writer import Writer

writer = Writer("bag.mcap", repeat_channels=False, repeat_schemas=False)
writer.start()
channel = writer.register_channel("/pose", "json", 0)
writer.add_message(channel, 1, b"{}", 1)
writer.finish()

def outcome(make):
    with open("bag.mcap", "rb") as file:
        try:
            return len(list(make(file).iter_messages()))
        except Exception as error:
            return type(error).__name__

seen = outcome(make_reader), outcome(NonSeekingReader)
print("mcap", version("mcap"), "| guessed: 1 message from both | seen: make_reader", seen[0], ", NonSeekingReader", seen[1])
if seen != ("KeyError", 1): sys.exit("changed: the readers treat a summary without channels differently now")
END
