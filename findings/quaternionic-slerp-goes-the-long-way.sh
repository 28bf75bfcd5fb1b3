#!/usr/bin/env bash
# Guess: slerp halfway between no turn and a turn by 74 degrees is 37 degrees, whichever sign the quaternion has.
# Instead: quaternionic.slerp goes the long way round when the signs differ (the middle is 143 degrees off); numpy-quaternion's
# slerp, by the same author, takes the short way.
# Bites: poses interpolated between two stamps, at the one place where the tracker's sign flips. Do: unflip_rotors first.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq quaternionic==1.0.18 numpy-quaternion==2024.0.13 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, quaternion, quaternionic, sys

def degrees(w):
    return round(float(np.degrees(2 * np.arccos(min(1.0, abs(w))))), 1)

start, end = [1.0, 0.0, 0.0, 0.0], [-0.8, 0.0, 0.0, -0.6]  # the second is the same turn as 0.8, 0, 0, 0.6
seen = np.asarray(quaternionic.slerp(quaternionic.array(start), quaternionic.array(end), 0.5))
other = quaternion.slerp_evaluate(quaternion.quaternion(*start), quaternion.quaternion(*end), 0.5)
print("quaternionic", version("quaternionic"), "| guessed:", degrees(np.sqrt(0.9)), "deg | seen:", degrees(seen[0]), "deg | numpy-quaternion", version("numpy-quaternion"), degrees(other.w), "deg")
if (degrees(seen[0]), degrees(other.w)) != (143.1, 36.9): sys.exit("changed: one of the two takes another way now")
END
