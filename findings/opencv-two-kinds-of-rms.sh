#!/usr/bin/env bash
# Guess: the reprojection RMS of solvePnPGeneric and of calibrateCamera mean the same, as both are called RMS, in pixels.
# Instead: solvePnPGeneric divides by the number of COORDINATES, calibrateCamera by the number of POINTS: a factor sqrt(2).
# Bites: a sigma taken from calibration and a gate on the pose's error disagree by 41 %, a covariance by 2.
# Do: compute it yourself from projectPoints, and say in the name whether it is per point or per coordinate.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

rng = np.random.default_rng(0)
camera_matrix = np.array([[300.0, 0, 320], [0, 300, 240], [0, 0, 1]])
board = np.array([[x, y, 0] for y in range(6) for x in range(8)], np.float32) * 0.1
views = []
for _ in range(8):
    turn, shift = rng.uniform(-0.5, 0.5, 3), np.array([-0.35, -0.25, 1.2]) + rng.uniform(-0.1, 0.1, 3)
    exact, _ = cv2.projectPoints(board, turn, shift, camera_matrix, None)
    views.append((exact + rng.normal(0, 1, exact.shape)).astype(np.float32))
calibration, matrix, lens, turns, shifts = cv2.calibrateCamera([board] * 8, views, (640, 480), None, None)
pose = np.sqrt(np.mean([cv2.solvePnPGeneric(board, v, matrix, lens)[3].item() ** 2 for v in views]))
residuals = [cv2.projectPoints(board, r, t, matrix, lens)[0] - v for r, t, v in zip(turns, shifts, views)]
per_point = np.sqrt(2 * np.mean(np.square(residuals)))
print("opencv", cv2.__version__,
      "| guessed: equal | seen: calibrateCamera", round(calibration, 4), "solvePnPGeneric", round(pose, 4),
      "ratio", round(calibration / pose, 4), "| by hand, per point", round(float(per_point), 4))
if abs(calibration / pose - np.sqrt(2)) > 0.01 or abs(per_point / calibration - 1) > 0.001:
    sys.exit("changed: the two RMS relate differently now")
END
