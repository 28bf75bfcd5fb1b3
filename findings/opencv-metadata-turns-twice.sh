#!/usr/bin/env bash
# Guess: a photograph read by imreadWithMetadata and written by imwriteWithMetadata looks as before.
# Instead: the pixels are turned upright on reading while the metadata keep their orientation tag, so the copy is turned
# once more by everything that opens it: a portrait photograph becomes a landscape one, upside down or on its side.
# Bites: undistorting or blurring faces in a folder "with EXIF kept": the copies no longer match the map or its intrinsics.
# Do: read with IMREAD_IGNORE_ORIENTATION, or drop the metadata.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
import sys
import cv2
from PIL import Image, ImageOps

exif = Image.Exif()
exif[274] = 6
seen = {}
for suffix in ("jpg", "png", "webp"):
    Image.new("RGB", (60, 40)).save("photo." + suffix, exif=exif)
    image, kinds, metadata = cv2.imreadWithMetadata("photo." + suffix)
    cv2.imwriteWithMetadata("copy." + suffix, image, kinds, metadata)
    seen[suffix] = tuple(ImageOps.exif_transpose(Image.open(name + suffix)).size for name in ("photo.", "copy."))
print("opencv", cv2.__version__, "| guessed: the same upright size | seen, photo and copy:", seen)
if set(seen.values()) != {((40, 60), (60, 40))}: sys.exit("changed: the orientation survives the round trip now")
END
