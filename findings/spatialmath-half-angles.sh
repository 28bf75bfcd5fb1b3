#!/usr/bin/env bash
# Guess: UnitQuaternion.angdist of two turns that are 0.2 rad apart is 0.2, as SE3.angdist's is.
# Instead: by default it is 0.1: the angle between the quaternions as four-vectors, half of that of the turns. SE3's default
# metric is another one and gives 0.2.
# Bites: rotation errors and gates (5 deg lets 10 through). Do: metric=4.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq spatialmath-python==1.1.18 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import sys
from spatialmath import SE3, UnitQuaternion

a, b = UnitQuaternion.Rz(0.3), UnitQuaternion.Rz(0.1)
seen = [float(a.angdist(b)), float(SE3.Rz(0.3).angdist(SE3.Rz(0.1))), float(a.angdist(b, metric=4))]
print("spatialmath-python", version("spatialmath-python"), "| guessed: 0.2 0.2 | seen: UnitQuaternion %.3f, SE3 %.3f; metric=4 %.3f" % tuple(seen))
if [round(value, 6) for value in seen] != [0.1, 0.2, 0.2]: sys.exit("changed: the default distance is another one now")
END
