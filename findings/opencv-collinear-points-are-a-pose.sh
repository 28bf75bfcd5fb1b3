#!/usr/bin/env bash
# Guess: points on one straight line fix no pose (the camera may turn about the line), so solvePnPRansac returns False.
# Instead: True, every point an inlier, and a camera anywhere on a circle about the line: here metres from the truth.
# Bites: a handrail, a cable or one edge of a door fills the inlier set, and the inlier count looks perfect.
# Do: before believing a pose, look at the spread of the inliers in 3-D (the second singular value), not at their number.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

camera_matrix = np.array([[300.0, 0, 320], [0, 300, 240], [0, 0, 1]])
line = np.array([0, 0, 5.0]) + np.linspace(-1, 1, 20)[:, None] * np.array([1, 0.3, 0.5])
pixels, _ = cv2.projectPoints(line, np.zeros(3), np.zeros(3), camera_matrix, None)  # the camera stands at the origin
seen = {}
for method in ("ITERATIVE", "P3P"):
    flag = getattr(cv2, "SOLVEPNP_" + method)
    found, turn, shift, inliers = cv2.solvePnPRansac(line, pixels, camera_matrix, None, flags=flag)
    centre = -cv2.Rodrigues(turn)[0].T @ shift
    seen[method] = (found, 0 if inliers is None else len(inliers), round(float(np.linalg.norm(centre)), 2))
print("opencv", cv2.__version__, "| guessed: False | seen (found, inliers, metres off):", seen)
if not all(found and count == 20 and off > 0.3 for found, count, off in seen.values()):
    sys.exit("changed: collinear points give another answer now")
END
