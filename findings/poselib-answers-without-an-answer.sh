#!/usr/bin/env bash
# Guess: where no pose can be found, estimate_absolute_pose raises, or returns None, or at least marks every point an outlier.
# Instead: from two points it returns the identity with every point marked an inlier (and num_inliers 0); from collinear
# points a pose of nan.
# Bites: "identity" is a camera at the map's origin, and code that counts the mask believes it; nan passes "error > limit".
# Do: look at num_inliers alone, and check that the pose is finite.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq poselib==2.0.5 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np, poselib

camera = {"model": "PINHOLE", "width": 640, "height": 480, "params": [500, 500, 320, 240]}

def outcome(points):
    pixels = points[:, :2] / points[:, 2:] * 500 + [320, 240]
    pose, info = poselib.estimate_absolute_pose(pixels, points, camera, {"max_iterations": 1000}, {})
    return np.asarray(pose.q).round(3).tolist(), info["num_inliers"], sum(info["inliers"])

two = outcome(np.array([[0.3, 0.2, 5.0], [-0.4, 0.1, 4.0]]))
line = outcome(np.array([0, 0, 5.0]) + np.linspace(-1, 1, 20)[:, None] * [1, 0.3, 0.5])
print("poselib", version("poselib"),
      "| guessed: an error, or no inlier | seen (q, num_inliers, inliers marked): two points", two, "line", line)
if not (two == ([1, 0, 0, 0], 0, 2) and np.isnan(line[0]).all() and line[1:] == (0, 0)):
    sys.exit("changed: PoseLib answers differently where there is no pose")
END
