#!/usr/bin/env bash
# Guess: recoverPose returns how many matches lie in front of both cameras: all of them, for a perfect pair of views.
# Instead: points farther than 50 baselines are not counted (a limit that only a longer overload lets you set): zero inliers
# and an empty mask, although rotation and direction are right.
# Bites: two frames of a video, 2 cm apart, in a room: a gate on the count throws away exactly the good pairs.
# Do: call the overload with distanceThresh, or triangulate and count yourself.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

rng = np.random.default_rng(0)
camera_matrix = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
turn, _ = cv2.Rodrigues(np.array([0.02, 0.05, 0.01]))
seen = {}
for depth in (10, 100):  # in baselines
    points = np.column_stack([rng.uniform(-0.5, 0.5, (200, 2)), np.ones(200)]) * rng.uniform(0.8, 1.2, (200, 1)) * depth
    first, second = ((p / p[:, 2:] @ camera_matrix.T)[:, :2].copy() for p in (points, points @ turn.T + [1, 0, 0]))
    essential, _ = cv2.findEssentialMat(first, second, camera_matrix, cv2.RANSAC, 0.999, 1.0)
    plain, turn_found, direction, _ = cv2.recoverPose(essential, first, second, camera_matrix)
    far = cv2.recoverPose(essential, first, second, camera_matrix, distanceThresh=1000.0)[0]
    off_deg = np.degrees(np.linalg.norm(cv2.Rodrigues(turn_found @ turn.T)[0]))
    seen[depth] = (plain, far, round(float(off_deg), 3), round(float(direction[0, 0]), 3))
print("opencv", cv2.__version__,
      "| guessed: 200 in front at any depth | seen (count, with distanceThresh, rotation off, x):", seen)
if not (seen[10][0] == 200 and seen[100][0] == 0 and seen[100][1] == 200 and seen[100][2] < 0.1):
    sys.exit("changed: recoverPose counts far points differently now")
END
