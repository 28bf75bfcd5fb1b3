#!/usr/bin/env bash
# Guess: remap of a picture of floats with maps of floats, INTER_LINEAR, interpolates where the map says.
# Instead: OpenCV 4 rounds every position to 1/32 of a pixel first, and warpAffine and warpPerspective do as well, whatever the types of
# picture and maps; OpenCV 5 interpolates where it is told.
# Bites: what is measured on warped patches (slopes by differences, alignment, sub-pixel errors) has a comb of 1/32 px, up to 1/64 px off;
# and the same code gives other pictures with the other version. Do: interpolate by hand where it matters.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv four; four/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6
python3 -m venv five; five/bin/pip install -qq opencv-python-headless==5.0.0.93 numpy==2.4.6
cat > ramp.py << 'END'
import cv2, numpy as np

ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1))  # whose value is the column
x, y = np.meshgrid(np.linspace(5, 50, 1000, dtype=np.float32), np.full(3, 9.0, np.float32))
by_map = np.abs(cv2.remap(ramp, x, y, cv2.INTER_LINEAR) - x).max()
shift = np.float32([[1, 0, -0.26], [0, 1, 0]])
by_matrix = np.abs(cv2.warpAffine(ramp, shift, (64, 64))[5, 5:60] - (ramp[5, 5:60] + 0.26)).max()
print(cv2.__version__, round(float(by_map), 4), round(float(by_matrix), 4))
END
four=$(four/bin/python ramp.py); five=$(five/bin/python ramp.py)
echo "opencv-python-headless | guessed: 0 px off | seen: $four / $five"
[[ $four == "4.14.0 0.015"*" 0.01" && $five == "5.0.0 0.0 0.0" ]] || { echo "changed: positions are rounded otherwise now"; exit 1; }
