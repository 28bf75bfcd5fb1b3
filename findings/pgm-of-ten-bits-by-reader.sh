#!/usr/bin/env bash
# Guess: a PGM of a 10-bit camera (greatest value 1023, as its head says) gives the same numbers with Pillow and with OpenCV.
# Instead: Pillow stretches them to 65535 (mode I), or to 255 where the head says less than that; OpenCV hands them out as they are, and its
# 8-bit reading divides by 256 all the same: of 1023 remains 3, an all but black picture.
# Bites: industrial and thermal cameras and depth written as PGM: temperatures and distances 64 times too large with one, nothing to
# match with the other. Do: read the head's third number, and rescale by hand what OpenCV gives with IMREAD_UNCHANGED.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pillow==13.0.0 opencv-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import cv2, numpy as np
from PIL import Image

seen = {}
for greatest, kind in ((1023, ">u2"), (100, "u1")):
    values = np.linspace(0, greatest, 12 * 16).round().astype(kind)
    with open("camera.pgm", "wb") as file:
        file.write(b"P5\n16 12\n%d\n" % greatest + values.tobytes())
    seen[greatest] = tuple(int(np.max(read)) for read in (
        np.asarray(Image.open("camera.pgm")), cv2.imread("camera.pgm", cv2.IMREAD_UNCHANGED), cv2.imread("camera.pgm", cv2.IMREAD_GRAYSCALE)))
print("pillow", version("pillow"), "opencv", version("opencv-python-headless"),
      "| guessed: 1023 and 100, in eight bits 255 | seen (Pillow, OpenCV, OpenCV in eight bits):", seen)
if seen != {1023: (65535, 1023, 3), 100: (255, 100, 100)}: sys.exit("changed: PGM's greatest value is treated differently now")
END
