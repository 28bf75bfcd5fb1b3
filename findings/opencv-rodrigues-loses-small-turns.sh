#!/usr/bin/env bash
# Guess: Rodrigues(Rodrigues(v)) is v for small turns as well; a matrix in doubles holds a turn of 1e-9.
# Instead: below 1e-5 rad the vector of a matrix is zero: all or nothing, 1 cm at 1 km.
# Bites: differences between nearly equal poses, numerical derivatives, tests of convergence: "no difference at all".
# Do: take half of R - R^T for small turns, or SciPy's as_rotvec.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6 scipy==1.17.1
v/bin/python - << 'END'
import sys
import cv2, numpy as np
from scipy.spatial.transform import Rotation

seen = {}
for angle in (1e-4, 2e-5, 9e-6, 1e-7):
    matrix = Rotation.from_rotvec([0, angle, 0]).as_matrix()
    seen[angle] = float(f"{cv2.Rodrigues(matrix)[0][1, 0]:.3g}"), float(f"{Rotation.from_matrix(matrix).as_rotvec()[1]:.3g}")
print("opencv", cv2.__version__, "| guessed: the angle itself | seen (OpenCV's, SciPy's):", seen)
if [ours for ours, _ in seen.values()] != [1e-4, 2e-5, 0, 0] or any(theirs != angle for angle, (_, theirs) in seen.items()):
    sys.exit("changed: small turns are kept now")
END
