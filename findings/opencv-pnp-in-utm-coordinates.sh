#!/usr/bin/env bash
# Guess: the origin of the map does not matter to solvePnP, or it returns False when it loses its way.
# Instead: in UTM metres the default method returns True and a camera hundreds of kilometres away, for exact pixels;
# solvePnPRansac returns True, finds half of the points, or two of them with USAC, and is off by far more than its pixels
# say. EPnP and PoseLib are exact here, where the pixels are.
# Bites: maps that were georeferenced and never moved to a local origin: "True", some inliers, and a pose in another country.
# Do: subtract the points' mean first and add it to the camera's position afterwards.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 poselib==2.0.5 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np, poselib

K, turn, shift = np.array([[400, 0, 320], [0, 400, 240], [0, 0, 1.0]]), np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2, 4])
points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
pixels = cv2.projectPoints(points, turn, shift, K, None)[0][:, 0]
camera = -cv2.Rodrigues(turn)[0].T @ shift
utm = np.array([448262.0, 5411932.0, 300.0])  # somewhere in zone 32

def metres_off(origin, turned, shifted): return float(np.linalg.norm(-cv2.Rodrigues(turned)[0].T @ shifted.ravel() - origin - camera))

seen = {}
for name, origin in (("local", 0 * utm), ("UTM", utm)):
    far = points + origin
    for method in ("ITERATIVE", "EPNP"):
        answer, *pose = cv2.solvePnP(far, pixels, K, None, flags=getattr(cv2, "SOLVEPNP_" + method))
        seen[name, method] = answer, round(metres_off(origin, *pose), 3)
    answer, turned, shifted, inliers = cv2.solvePnPRansac(far, pixels, K, None)
    seen[name, "RANSAC"] = answer, round(metres_off(origin, turned, shifted), 3), len(inliers)
    answer, _, turned, shifted, inliers = cv2.solvePnPRansac(far, pixels, K, None, params=cv2.UsacParams())
    seen[name, "USAC"] = answer, round(metres_off(origin, turned, shifted), 3), len(inliers)
    pose, found = poselib.estimate_absolute_pose(pixels, far, {"model": "PINHOLE", "width": 640, "height": 480, "params": [400, 400, 320, 240]}, {}, {})
    seen[name, "PoseLib"] = round(float(np.linalg.norm(-np.array(pose.R).T @ pose.t - origin - camera)), 3), found["num_inliers"]
print("opencv", cv2.__version__, "| guessed: the same in both places | seen (answer, metres off, inliers):", seen)
good = all(seen["local", method][1] < 0.001 for method in ("ITERATIVE", "EPNP", "RANSAC")) and seen["UTM", "EPNP"][1] < 0.001
lost = seen["UTM", "ITERATIVE"][0] and seen["UTM", "ITERATIVE"][1] > 1000
few = all(seen["UTM", method][0] and seen["UTM", method][2] < 15 for method in ("RANSAC", "USAC"))
if not (good and lost and few and seen["UTM", "PoseLib"] == (0.0, 20)): sys.exit("changed: solvePnP finds its way far from the origin now")
END
