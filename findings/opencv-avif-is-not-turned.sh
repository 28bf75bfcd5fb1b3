#!/usr/bin/env bash
# Guess: imread turns a portrait AVIF upright, as it does with JPEG, PNG and WebP that carry the same EXIF orientation.
# Instead: an AVIF stays as stored, whatever the flag: neither its rotation box nor its EXIF is looked at.
# Bites: a folder of mixed phone photographs: the same camera gives images of two shapes, one set lying on its side.
# Do: read AVIF with Pillow and ImageOps.exif_transpose, or compare the size with what Pillow says.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
import sys
import cv2, numpy as np, PIL
from PIL import Image, ImageOps

exif = Image.Exif()
exif[274] = 6  # the camera was held upright: turn by 90 deg to view
seen = {}
for suffix in ("jpg", "png", "webp", "avif"):
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save("photo." + suffix, exif=exif)
    pillow = ImageOps.exif_transpose(Image.open("photo." + suffix)).size
    height, width = cv2.imread("photo." + suffix).shape[:2]
    seen[suffix] = pillow, (width, height)
print("opencv", cv2.__version__, "pillow", PIL.__version__, "| guessed: (40, 60) for all | seen, pillow and opencv:", seen)
same = all(seen[s] == ((40, 60), (40, 60)) for s in ("jpg", "png", "webp"))
if not (same and seen["avif"] == ((40, 60), (60, 40))): sys.exit("changed: imread turns AVIF differently now")
END
