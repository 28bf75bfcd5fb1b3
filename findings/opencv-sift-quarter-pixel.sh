#!/usr/bin/env bash
# Guess: SIFT keypoints have no bias: those of the mirrored image are the mirrored keypoints.
# Instead: every keypoint sits 0.25 px to the right and below, unless enable_precise_upscale is switched on (default off).
# Bites: COLMAP's SIFT has no such shift, so a map from one and queries from the other differ by a quarter of a pixel.
# Do: cv2.SIFT_create(enable_precise_upscale=True), for the map and for the queries alike.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

rng = np.random.default_rng(0)
image = np.zeros((480, 640), np.uint8)
for _ in range(400):
    x, y, radius, grey = (int(v) for v in (rng.integers(640), rng.integers(480), rng.integers(3, 30), rng.integers(255)))
    cv2.circle(image, (x, y), radius, grey, -1)
image = cv2.GaussianBlur(image, (0, 0), 1)

def bias_px(detector):
    here = np.array([k.pt for k in detector.detect(image)])
    there = np.array([k.pt for k in detector.detect(image[:, ::-1].copy())]) * [-1, 1] + [639, 0]
    gaps = np.linalg.norm(here[:, None] - there, axis=2)
    close = gaps.min(1) < 3
    return float(np.median((here - there[gaps.argmin(1)])[close, 0]) / 2)

seen = bias_px(cv2.SIFT_create()), bias_px(cv2.SIFT_create(enable_precise_upscale=True))
print("opencv", cv2.__version__, "| guessed: no bias | seen: default %.3f px, precise upscale %.3f px" % seen)
if not (abs(seen[0] - 0.25) < 0.03 and abs(seen[1]) < 0.03): sys.exit("changed: SIFT's bias is another now")
END
