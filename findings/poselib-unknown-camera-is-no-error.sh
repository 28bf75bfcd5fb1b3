#!/usr/bin/env bash
# Guess: a camera model that PoseLib does not know is refused, as pycolmap refuses it.
# Instead: nothing is said: estimate_absolute_pose returns the identity with no inlier, for a misspelt name and for models
# of COLMAP that it lacks (FOV, SIMPLE_RADIAL_FISHEYE, RADIAL_FISHEYE, THIN_PRISM_FISHEYE).
# Bites: cameras handed over from a COLMAP model by name: every image of a fisheye is lost, as if the matches were bad.
# Do: try a pose with exact pixels once at start, or undistort to rays yourself and pass a pinhole.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq poselib==2.0.5 pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np, poselib, pycolmap

points = np.random.default_rng(1).uniform(-1, 1, (40, 3)) + [0, 0, 2.5]
models = {"OPENCV": [500, 510, 320, 240, 0.01, 0.02, 0.001, 0.002], "OPENCV_FISHEYE": [500, 510, 320, 240, 0.01, 0.02, 0.001, 0.002],
    "FOV": [500, 510, 320, 240, 0.3], "SIMPLE_RADIAL_FISHEYE": [500, 320, 240, 0.01], "RADIAL_FISHEYE": [500, 320, 240, 0.01, 0.02],
    "THIN_PRISM_FISHEYE": [500, 510, 320, 240, 0.01, 0.02, 0.001, 0.002, 0, 0, 0, 0]}
seen = {}
for model, params in models.items():
    pixels = pycolmap.Camera(model=model, width=640, height=480, params=params).img_from_cam(points)
    for name in (model, "NO_SUCH_MODEL") if model == "OPENCV" else (model,):
        camera = {"model": name, "width": 640, "height": 480, "params": params}
        pose, found = poselib.estimate_absolute_pose(pixels, points + [3, 0, 0], camera, {"max_reproj_error": 2.0}, {})
        seen[name] = found["num_inliers"], (np.asarray(pose.t).round(6) + 0.0).tolist()
print("poselib", version("poselib"), "| guessed: 40 and x = -3, or an error | seen (inliers, translation):", seen)
known = {name for name, (inliers, _) in seen.items() if inliers == 40}
if known != {"OPENCV", "OPENCV_FISHEYE"} or any(seen[name] != (0, [0, 0, 0]) for name in seen if name not in known):
    sys.exit("changed: PoseLib takes other camera models, or refuses them")
END
