#!/usr/bin/env bash
# Guess: an option that RANSAC does not have ("max_reproj_eror", or pycolmap's name "max_error") is refused with an error.
# Instead: the dictionary is read by name and the rest is dropped: the run goes on with the default of 12 px.
# Bites: a threshold of 1 px "has no effect", outliers of 10 px are inliers, and every experiment with the option agrees.
# Do: before the call, compare your keys with those of poselib.RansacOptions(), a dictionary of them all.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq poselib==2.0.5 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np, poselib

rng = np.random.default_rng(0)
camera = {"model": "PINHOLE", "width": 640, "height": 480, "params": [500, 500, 320, 240]}
points = rng.uniform(-1, 1, (100, 3)) + [0, 0, 5]
pixels = points[:, :2] / points[:, 2:] * 500 + [320, 240]
pixels[:50] += rng.choice([-6, 6], (50, 2))  # half of them 8 px off
seen = {}
for options in ({}, {"max_reproj_error": 1.0}, {"max_error": 1.0}, {"max_reproj_eror": 1.0}):
    _, info = poselib.estimate_absolute_pose(pixels, points, camera, options, {})
    seen[next(iter(options), "none")] = info["num_inliers"]
print("poselib", version("poselib"), "| guessed: an error for the last two | seen, inliers by option:", seen)
if not (seen["max_reproj_error"] == 50 and seen["none"] == seen["max_error"] == seen["max_reproj_eror"] > 90):
    sys.exit("changed: options are checked, or named, differently now")
END
