#!/usr/bin/env bash
# Guess: Similarity3(R, t, s) takes p to s R p + t, as COLMAP's Sim3d, evo and Umeyama's paper have it.
# Instead: to s (R p + t): the translation is scaled too, and matrix() has 1 / s in its corner rather than s R above.
# Bites: alignments carried from one library to another: right where the translation or the scale is trivial, as in small tests.
# Do: divide the translation by the scale on the way in, multiply it on the way out.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq gtsam==4.3.0 pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import gtsam, numpy as np, pycolmap

point, shift = np.array([1.0, 0, 0]), np.array([10.0, 0, 0])
ours = float((pycolmap.Sim3d(2, pycolmap.Rotation3d(), shift) * point)[0])
theirs = gtsam.Similarity3(gtsam.Rot3(), shift, 2.0)
seen = float(theirs.transformFrom(point)[0]), float(theirs.matrix()[3, 3])
print("gtsam", version("gtsam"), "| guessed: 12, 1 | seen (x, corner of the matrix):", *seen, "| pycolmap:", ours)
if seen != (22.0, 0.5) or ours != 12.0: sys.exit("changed: the translation is scaled differently now")
END
