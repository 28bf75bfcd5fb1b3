#!/usr/bin/env bash
# Guess: OPENCV_FISHEYE in PoseLib uses all points of a lens of more than 180 deg, as the model defines them.
# Instead: pixels beyond 90 deg are unprojected as x / z and z > 0, which puts the ray on the OPPOSITE side of the image; such
# points are never inliers, however exact.
# Bites: a third of a wide lens's points count as outliers, and RANSAC needs many more rounds.
# Do: drop pixels beyond 90 deg before the call, so that the inlier ratio means something.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq poselib==2.0.5 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np, poselib

rng = np.random.default_rng(0)
angle, around = rng.uniform(0.3, 1.9, 60), rng.uniform(0, 2 * np.pi, 60)
rays = np.column_stack([np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.cos(angle)])
pixels = 600 + 300 * angle[:, None] * np.column_stack([np.cos(around), np.sin(around)])
camera = {"model": "OPENCV_FISHEYE", "width": 1200, "height": 1200, "params": [300, 300, 600, 600, 0, 0, 0, 0]}
_, info = poselib.estimate_absolute_pose(pixels, rays * rng.uniform(2, 5, (60, 1)), camera, {"max_reproj_error": 2.0}, {})
front = int((angle < np.pi / 2).sum())
model = poselib.Camera("OPENCV_FISHEYE", camera["params"], 1200, 1200)
sideways = float(model.unproject(np.array([[600 + 300 * np.radians(95), 600.0]]))[0, 0])
print("poselib", version("poselib"),
      "| guessed: 60 inliers of 60 exact points | seen:", info["num_inliers"], "with", front, "in front;",
      "95 deg to the right is unprojected to x / z =", round(sideways, 2))
if not (info["num_inliers"] == front < 60 and sideways < 0): sys.exit("changed: PoseLib uses rays beyond 90 deg now")
END
