#!/usr/bin/env bash
# Guess: pyrDown and resize to half (INTER_AREA) make images that lie on each other; the principal point scales alike.
# Instead: pyrDown keeps pixel 0 on pixel 0 (x' = x / 2), resize keeps the borders (x' = x / 2 - 0.25): a quarter pixel of
# the small image, half a pixel of the large one. pyrUp is off by half a pixel against resize in the same way.
# Bites: a pyramid for tracking or dense alignment with intrinsics scaled for resize: a bias that grows with each level.
# Do: scale cx as (cx + 0.5) / 2 - 0.5 after resize, but cx / 2 after pyrDown, and use only one of the two.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np

y, x = np.mgrid[:64, :64]
spot = np.exp(-((x - 31.5) ** 2 + (y - 31.5) ** 2) / 50).astype(np.float32)

def centre(image):
    return float((image * np.arange(image.shape[1])).sum() / image.sum())

half, half_resized = centre(cv2.pyrDown(spot)), centre(cv2.resize(spot, (32, 32), interpolation=cv2.INTER_AREA))
double, double_resized = centre(cv2.pyrUp(spot)), centre(cv2.resize(spot, (128, 128), interpolation=cv2.INTER_LINEAR))
print("opencv", cv2.__version__, "| guessed: the spot at 31.5 is at 15.5 in each half, at 63.5 in each double | seen:",
      "pyrDown %.3f, resize %.3f; pyrUp %.3f, resize %.3f" % (half, half_resized, double, double_resized))
if not np.allclose([half, half_resized, double, double_resized], [15.75, 15.5, 63.0, 63.5], atol=0.01):
    sys.exit("changed: the pyramids are aligned differently now")
END
