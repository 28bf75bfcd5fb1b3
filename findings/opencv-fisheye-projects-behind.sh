#!/usr/bin/env bash
# Guess: fisheye.projectPoints, an equidistant model, sends a ray 95 deg off the axis a little beyond one at 85 deg.
# Instead: it divides by z first, so what lies behind the camera lands on the OTHER side of the image, well inside it.
# Bites: lenses of more than 180 deg, and maps where points behind the camera then count as visible.
# Do: use depth, or the angle itself, to drop points with z <= 0, or write theta_d * (x, y) / hypot(x, y) yourself.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

camera_matrix = np.array([[300.0, 0, 640], [0, 300, 480], [0, 0, 1]])
seen, expected = {}, {}
for angle_deg in (85, 95, 120):
    angle = np.radians(angle_deg)
    ray = np.array([[[np.sin(angle), 0, np.cos(angle)]]])
    pixel, _ = cv2.fisheye.projectPoints(ray, np.zeros(3), np.zeros(3), camera_matrix, np.zeros(4))
    seen[angle_deg] = round(float(pixel[0, 0, 0]), 1)
    expected[angle_deg] = round(float(640 + 300 * angle), 1)
print("opencv", cv2.__version__, "| guessed x:", expected, "| seen x:", seen)
mirrored = {95: round(640 - 300 * np.radians(85), 1), 120: round(640 - 300 * np.radians(60), 1)}
if seen[85] != expected[85] or any(abs(seen[a] - x) > 0.2 for a, x in mirrored.items()):
    sys.exit("changed: rays behind a fisheye camera are projected differently now")
END
