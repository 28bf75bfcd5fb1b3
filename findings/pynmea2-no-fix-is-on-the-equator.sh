#!/usr/bin/env bash
# Guess: latitude and longitude of a sentence without a fix, whose fields are empty, are None or nan, as its altitude is None.
# Instead: 0.0 and 0.0, a valid place in the Gulf of Guinea.
# Bites: a receiver sends such sentences until it has satellites: position priors of a log's first images, and the middle of a map
# computed from them, are far away. Do: look at gps_qual (GGA) or status (RMC) first.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pynmea2==1.19.0
v/bin/python - << 'END'
import functools, sys
from importlib.metadata import version
import pynmea2

def read(body):
    sentence = pynmea2.parse(f"${body}*{functools.reduce(lambda sum, letter: sum ^ ord(letter), body, 0):02X}")
    return sentence.latitude, sentence.longitude, getattr(sentence, "altitude", None)

seen = [read("GPGGA,123519,,,,,0,00,,,M,,M,,"), read("GPRMC,123519,V,,,,,,,230394,,"), read("GPGLL,,,,,123519,V")]
print("pynmea2", version("pynmea2"), "| guessed: None None None | seen of GGA, RMC, GLL:", *seen)
if seen != [(0.0, 0.0, None)] * 3: sys.exit("changed: a missing fix reads differently now")
END
