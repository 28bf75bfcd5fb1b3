#!/usr/bin/env bash
# Guess: resize with INTER_NEAREST takes the pixel nearest to the middle of the area that becomes one: for a third the middle one.
# Instead: it takes the first one, above on the left: shrunk k times everything moves by (k - 1) / 2 pixels of the original,
# while INTER_AREA and INTER_LINEAR keep things where they are.
# Bites: depth and masks, which must not be mixed and so are shrunk this way, beside a picture shrunk by INTER_AREA: by four they lie
# 1.5 px apart, more than an edge of an object is wide. Do: INTER_NEAREST_EXACT (half a pixel off at even factors).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import cv2, numpy as np

columns = np.tile(np.arange(60, dtype=np.float32), (60, 1))  # each pixel holds its own x
ways = {name: getattr(cv2, name) for name in ("INTER_NEAREST", "INTER_NEAREST_EXACT", "INTER_AREA", "INTER_LINEAR")}
shifts = {}
for factor in (2, 3, 4, 5):
    middles = np.arange(60 // factor) * factor + (factor - 1) / 2
    for name, way in ways.items():
        small = cv2.resize(columns, (60 // factor, 60 // factor), interpolation=way)
        shifts.setdefault(name, []).append(float(np.mean(small[0] - middles)))
print("opencv", version("opencv-python-headless"),
      "| guessed: no shift, or half a pixel where there is no middle | seen, px for 2, 3, 4, 5 times:", shifts)
if shifts["INTER_NEAREST"] != [-0.5, -1, -1.5, -2] or shifts["INTER_NEAREST_EXACT"] != [0.5, 0, 0.5, 0] or any(shifts["INTER_AREA"]):
    sys.exit("changed: INTER_NEAREST takes other pixels now")
END
