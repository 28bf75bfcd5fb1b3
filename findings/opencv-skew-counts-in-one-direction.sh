#!/usr/bin/env bash
# Guess: K[0, 1] is used by each function that is given K, or by none, or is refused.
# Instead: projectPoints, undistortPoints and solvePnP read fx, fy, cx and cy alone and drop a skew in silence; the same
# matrix given as P to undistortPoints is applied in full.
# Bites: intrinsics from tools that estimate skew: solvePnP(K) is off, and "undistort with P=K, then solvePnP with K", as is
# usual, bends the pixels by a skew that nobody takes back.
# Do: multiply by inv(K) yourself and go on with the identity as K, or calibrate without skew.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

K, zero = np.array([[500, 20, 320], [0, 500, 240], [0, 0, 1.0]]), np.zeros(3)
points = np.random.default_rng(0).uniform(-1, 1, (30, 3)) + [0, 0, 4]
pixels = points @ K.T
pixels = pixels[:, :2] / pixels[:, 2:]
projected = np.abs(cv2.projectPoints(points, zero, zero, K, None)[0][:, 0] - pixels).max()
rays = np.abs(cv2.undistortPoints(pixels[:, None], K, None)[:, 0] - points[:, :2] / points[:, 2:]).max() * 500
drawn = np.abs(cv2.undistortPoints((points[:, :2] / points[:, 2:])[:, None], np.eye(3), None, P=K)[:, 0] - pixels).max()
_, turn, shift = cv2.solvePnP(points, pixels, K, None)
angle, metres = np.degrees(np.linalg.norm(turn)), np.linalg.norm(shift)
print("opencv", cv2.__version__, "| guessed: all zero | seen: projectPoints %.1f px off, undistortPoints by K %.1f px," % (projected, rays),
      "by P %.1f px, pose by solvePnP %.2f deg and %.3f m off" % (drawn, angle, metres))
if not (projected > 4 and rays > 4 and drawn < 1e-9 and angle > 0.5): sys.exit("changed: skew is treated differently now")
END
