#!/usr/bin/env bash
# Guess: SOLVEPNP_IPPE_SQUARE, which needs a square's corners in one order, refuses a rectangle or another order.
# Instead: it measures one side, takes the rest for granted, and returns True with a wrong pose in both cases.
# Bites: aruco boards list corners with y DOWN (GridBoard.getObjPoints), the order this flag does not take; oblong labels.
# Do: give (-s, s), (s, s), (s, -s), (-s, -s) and nothing else; for any other plane use SOLVEPNP_IPPE. Project back and compare.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

camera_matrix = np.array([[300.0, 0, 320], [0, 300, 240], [0, 0, 1]])
turn, shift = np.array([0.3, 0.2, 0.1]), np.array([0.1, 0, 5.0])
square = np.array([[-1.0, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])
seen = {}
for name, corners in {"square": square, "y down": square * [1, -1, 1], "rectangle": square * [1, 0.5, 1]}.items():
    pixels, _ = cv2.projectPoints(corners, turn, shift, camera_matrix, None)
    row = []
    for flag in (cv2.SOLVEPNP_IPPE_SQUARE, cv2.SOLVEPNP_IPPE):
        found, _, shift_found = cv2.solvePnP(corners, pixels, camera_matrix, None, flags=flag)
        row.append((found, round(float(np.linalg.norm(shift_found.ravel() - shift)), 3)))
    seen[name] = tuple(row)
print("opencv", cv2.__version__,
      "| guessed: an error or False for the last two | seen (found, metres off), IPPE_SQUARE and IPPE:")
for name, row in seen.items(): print("  ", name, row)
ok = all(row[1] == (True, 0.0) for row in seen.values()) and seen["square"][0] == (True, 0.0)
if not (ok and all(seen[n][0][0] and seen[n][0][1] > 0.2 for n in ("y down", "rectangle"))):
    sys.exit("changed: SOLVEPNP_IPPE_SQUARE treats other shapes differently now")
END
