#!/usr/bin/env bash
# Guess: fisheye.undistortPoints undoes fisheye.projectPoints, up to rounding, for every ray in front of the camera.
# Instead: the distorted angle is clamped at 90 deg BEFORE it is undistorted, so with k1 > 0 wide rays come back narrower
# (87 as 78.5 deg), with no flag. solvePnP and triangulation on such points are wrong by degrees.
# Do: solve theta_d(theta) yourself (Newton, a few steps) beyond the clamp, or drop pixels whose theta_d exceeds pi/2.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

camera_matrix = np.array([[300.0, 0, 320], [0, 300, 240], [0, 0, 1]])
distortion = np.array([0.1, 0, 0, 0])
seen = {}
for angle_deg in (60, 80, 87):
    angle = np.radians(angle_deg)
    ray = np.array([[[np.sin(angle), 0, np.cos(angle)]]])
    pixel, _ = cv2.fisheye.projectPoints(ray, np.zeros(3), np.zeros(3), camera_matrix, distortion)
    back = cv2.fisheye.undistortPoints(pixel, camera_matrix, distortion)
    seen[angle_deg] = float(np.degrees(np.arctan(back[0, 0, 0])))
print("opencv", cv2.__version__, "| guessed: 60, 80, 87 deg | seen:", {k: round(v, 2) for k, v in seen.items()})
if not (abs(seen[60] - 60) < 1e-6 and abs(seen[80] - 77.18) < 0.05 and abs(seen[87] - 78.51) < 0.05):
    sys.exit("changed: wide fisheye rays are undistorted differently now")
END
