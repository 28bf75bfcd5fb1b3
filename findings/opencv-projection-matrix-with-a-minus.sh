#!/usr/bin/env bash
# Guess: P and -P are one projection matrix, so decomposeProjectionMatrix gives one camera for both: focal lengths above zero, K[2, 2] = 1.
# Instead: the sign stays in K: its last column is negative, and the rotation is turned by 180 deg. K / K[2, 2], the usual next
# step, then has focal lengths below zero, and the camera looks away from what it saw.
# Bites: matrices out of a linear fit (the last row of an SVD), whose sign is chance: every second calibration. The centre is right.
# Do: P *= sign(det(P[:, :3])) before, K /= K[2, 2] after.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import cv2, numpy as np

intrinsics = np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1.0]])
rotation = cv2.Rodrigues(np.array([0.1, 0.2, 0.3]))[0]
projection = intrinsics @ np.column_stack([rotation, [1, 2, 3]])
seen = {}
for sign in (1, -1):
    found, turned, centre = cv2.decomposeProjectionMatrix(sign * projection)[:3]
    off = np.degrees(np.linalg.norm(cv2.Rodrigues(turned @ rotation.T)[0]))
    seen[sign] = np.diag(found / found[2, 2]).round(6).tolist(), round(float(off), 3)
    assert np.allclose(centre[:3] / centre[3], -rotation.T @ [[1], [2], [3]])
print("opencv", version("opencv-python-headless"),
      "| guessed: fx, fy above zero and no turn for both | seen (fx, fy, 1 and deg off):", seen)
if seen != {1: ([500, 500, 1], 0), -1: ([-500, -500, 1], 180)}: sys.exit("changed: the sign of P is treated differently now")
END
