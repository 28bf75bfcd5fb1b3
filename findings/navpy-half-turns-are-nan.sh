#!/usr/bin/env bash
# Guess: dcm2quat gives the quaternion of any rotation matrix; one of half a turn is the easiest there is.
# Instead: it divides by the real part, which is zero there: nan and inf, with a warning of numpy at most.
# Bites: diag(1, -1, -1), the usual step between the axes of two cameras; a heading of due south.
# Do: SciPy's Rotation.from_matrix(matrix.T): navpy's matrices turn the axes, not the vector.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq navpy==1.0 numpy==2.4.6
v/bin/python -W ignore - << 'END'
import sys
from importlib.metadata import version
import navpy, numpy as np

turns = {"a tenth": navpy.angle2dcm(np.pi / 5, 0, 0), "south": navpy.angle2dcm(np.pi, 0, 0), "1, -1, -1": np.diag([1.0, -1, -1])}
seen = {}
for name, matrix in turns.items():
    real, vector = navpy.dcm2quat(matrix)
    seen[name] = [float(real), *np.asarray(vector, float).round(3).tolist()]
print("navpy", version("navpy"), "| guessed: [0, 0, 0, 1] and [0, 1, 0, 0] for the last two, up to the sign | seen:", seen)
if not np.isfinite(seen["a tenth"]).all() or any(np.isfinite(seen[name]).all() for name in ("south", "1, -1, -1")):
    sys.exit("changed: half turns have a quaternion now")
END
