#!/usr/bin/env bash
# Guess: from_latlon of arrays equals from_latlon of each point, or refuses arrays that lie in two zones (it does refuse two
# hemispheres).
# Instead: all points are put into the zone of the first one. The same fix has another easting when the track starts elsewhere.
# Bites: two drives over a zone border, each consistent, that do not overlap. Do: pass force_zone_number for the whole site.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq utm==0.9.0 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys, utm

west, east = (47.0, 11.9), (47.0, 12.1)  # the border of zones 32 and 33 is at 12 degrees
there = utm.from_latlon(np.array([west[0], east[0]]), np.array([west[1], east[1]]))
back = utm.from_latlon(np.array([east[0], west[0]]), np.array([east[1], west[1]]))
alone = utm.from_latlon(*east)
print("utm", version("utm"), "| guessed: the eastern point at", round(float(alone[0])), "in zone", alone[2])
print("seen: %d in zone %d, and %d in zone %d with the points in the other order" % (there[0][1], there[2], back[0][0], back[2]))
if (there[2], back[2]) != (32, 33) or abs(there[0][1] - back[0][0]) < 400_000: sys.exit("changed: zones of arrays are chosen differently now")
END
