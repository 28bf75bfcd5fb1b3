#!/usr/bin/env bash
# Guess: on a noise-free, axis-parallel picture of a tag two wheels of the same C library give the same four corners.
# Instead: pyapriltags (library 3.4) gives them exactly; pupil-apriltags (an older one) is 0.1 to 0.2 px off, each corner
# differently, so a tag seen squarely appears tilted by 0.2 degrees.
# Bites: tags as reference in a comparison of sub-pixel methods. Do: pyapriltags, or refine the corners.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pupil-apriltags==1.0.4.post11 pyapriltags==3.4.3.1 opencv-python-headless==4.12.0.88 numpy==2.2.6
v/bin/python - << 'END'
from importlib.metadata import version
import cv2, numpy as np, sys
import pupil_apriltags, pyapriltags

image = np.full((400, 400), 255, np.uint8)
image[100:260, 140:300] = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11), 3, 160)
truth = np.array([[300, 100], [140, 100], [140, 260], [300, 260]])  # this library counts from the picture's outer corner
errors, tilts = [], []
for wheel in pyapriltags, pupil_apriltags:
    (tag,) = wheel.Detector("tag36h11").detect(image, estimate_tag_pose=True, camera_params=(400, 400, 200, 200), tag_size=0.1)
    errors.append(float(np.abs(tag.corners - truth).max().round(3)))
    tilts.append(float(np.degrees(np.arccos(min(1.0, tag.pose_R[2, 2]))).round(2)))
print("pyapriltags", version("pyapriltags"), "pupil-apriltags", version("pupil-apriltags"), "| guessed: equal corners")
print("seen: largest error", errors, "px, tilt", tilts, "deg")
if errors[0] > 0.01 or not 0.1 < errors[1] < 0.3: sys.exit("changed: the corners of one of the two have moved")
END
