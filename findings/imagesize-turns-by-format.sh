#!/usr/bin/env bash
# Guess: imagesize.get gives the stored size, or the upright one, of a portrait photograph, whatever the format.
# Instead: JPEG and TIFF upright (the orientation tag is applied), PNG and WebP as stored, AVIF (-1, -1).
# Bites: cameras grouped, or intrinsics scaled, by size before decoding: one phone makes two groups.
# Do: take the size from the decoder that will read the pixels.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq imagesize==2.0.1 pillow==13.0.0
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import imagesize
from PIL import Image

exif = Image.Exif()
exif[274] = 6
seen = {}
for suffix in ("jpg", "tif", "png", "webp", "avif"):
    Image.new("RGB", (60, 40)).save("photo." + suffix, exif=exif)
    seen[suffix] = imagesize.get("photo." + suffix)
print("imagesize", version("imagesize"), "| guessed: one answer for all | seen:", seen)
if seen != {"jpg": (40, 60), "tif": (40, 60), "png": (60, 40), "webp": (60, 40), "avif": (-1, -1)}:
    sys.exit("changed: sizes are found differently now")
END
