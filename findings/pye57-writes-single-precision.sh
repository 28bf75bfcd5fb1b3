#!/usr/bin/env bash
# Guess: points in doubles written to an E57 file, whose point fields may be doubles, come back as they were.
# Instead: they are stored in single precision (only with `scaled` fields of integers it takes another type). The arrays that come back are
# doubles again, so nothing shows it.
# Bites: a scan in UTM coordinates comes in steps of 3 cm eastwards and half a metre northwards: walls get steps, and alignment of a map to it
# is off by as much. Do: write points relative to a corner near them, and give that as `translation`, which is kept in doubles.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pye57==0.4.19 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np, pye57

points = np.random.default_rng(0).uniform(0, 10, (1000, 3)) + [500000, 5000000, 300]

def worst(name, corner):
    scan = pye57.E57(name, mode="w")
    scan.write_scan_raw(dict(zip(("cartesianX", "cartesianY", "cartesianZ"), (points - corner).T)), translation=np.asarray(corner, float))
    scan.close()
    back = pye57.E57(name).read_scan(0, ignore_missing_fields=True)
    xyz = np.column_stack([back[f"cartesian{axis}"] for axis in "XYZ"])
    return xyz.dtype.name, np.abs(xyz - points).max(axis=0).round(4).tolist()

kind, off = worst("far.e57", [0, 0, 0])
_, near = worst("near.e57", [500000, 5000000, 300])
print("pye57", version("pye57"), "| guessed: 0 off | seen:", kind, "off by at most", off, "m, relative to a corner", near)
if not (0.01 < off[0] < 0.02 and 0.2 < off[1] < 0.3 and max(near) < 1e-5): sys.exit("changed: points are stored in another precision now")
END
