#!/usr/bin/env bash
# Guess: convertPointsFromHomogeneous makes x / w of each point, so a w of almost zero gives a point far away, and zero infinity or nan.
# Instead: where |w| is below 1.2e-7, whatever the other numbers are, it does not divide at all. Two parallel rays, triangulated,
# give a "point" ONE metre from the camera, behind it; a point whose four numbers are all small (they count up to a
# factor) comes out near zero. perspectiveTransform gives 0, 0 in the same place.
# Bites: stereo matches without disparity, cameras that only turned: an obstacle, or a landmark, where nothing is.
# Do: divide by hand, and drop |w| < 1e-6 |x|.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import cv2, numpy as np

left = np.array([[500, 0, 320, 0], [0, 500, 240, 0], [0, 0, 1.0, 0]])
right = left - [[0, 0, 0, 500], [0, 0, 0, 0], [0, 0, 0, 0]]  # one metre beside it
pixel = np.array([[400.0], [300.0]])
far = cv2.triangulatePoints(left, right, pixel, pixel).T
point = cv2.convertPointsFromHomogeneous(far).ravel()
scaled = [cv2.convertPointsFromHomogeneous(np.array([[3.0, 4, 10, 2]]) * factor).ravel().tolist() for factor in (1, 1e-8)]
vanished = cv2.perspectiveTransform(np.array([[[3.0, 4]]]), np.diag([1.0, 1, 0])).ravel().tolist()
print("opencv", version("opencv-python-headless"), "| guessed: beyond 1e6 m; twice 1.5, 2, 5; not finite | seen: %.2f m away at z = %.2f;"
      % (np.linalg.norm(point), point[2]), scaled, vanished)
if not (abs(np.linalg.norm(point) - 1) < 0.01 and max(scaled[1]) < 1e-6 and vanished == [0, 0]):
    sys.exit("changed: points at infinity are treated differently now")
END
