#!/usr/bin/env bash
# Guess: each projector of lanelet2 puts the origin it is made with at 0, 0, 0.
# Instead: LocalCartesianProjector does; UtmProjector in x and y alone, its z is the height itself; MercatorProjector in nothing, its
# origin only sets the scale: a map near Karlsruhe begins at x = 613 km, y = 4117 km.
# Bites: a map and poses made with two of them; single precision and solvers far from zero.
# Do: project the origin as well, and subtract it.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq lanelet2==1.2.3
v/bin/python - << 'END'
import sys
from importlib.metadata import version
from lanelet2 import projection
from lanelet2.core import GPSPoint
from lanelet2.io import Origin

seen = {}
for name in ("LocalCartesian", "Utm", "Mercator"):
    point = getattr(projection, name + "Projector")(Origin(49.0, 8.4, 110.0)).forward(GPSPoint(49.0, 8.4, 110.0))
    seen[name] = round(point.x) + 0, round(point.y) + 0, round(point.z) + 0
print("lanelet2", version("lanelet2"), "| guessed: 0 0 0 each | seen:", seen)
if seen != {"LocalCartesian": (0, 0, 0), "Utm": (0, 0, 110), "Mercator": (613470, 4116679, 110)}: sys.exit("changed: origins count differently now")
END
