#!/usr/bin/env bash
# Guess: Pillow leaves every picture as stored and reports the orientation, for ImageOps.exif_transpose to apply.
# Instead: so for JPEG and PNG; a TIFF has its upright size at once and is turned on load, while getexif() still says 6 if
# asked before. Turning by the tag then turns twice; reading the tag after load says that nothing was ever turned.
# Bites: scans and converted raw photographs: pixels as stored are what intrinsics and COLMAP mean.
# Do: read the tag after load(), or TIFF with tifffile, which turns nothing.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pillow==13.0.0 tifffile==2026.3.3
v/bin/python - << 'END'
import sys
import PIL, tifffile
from PIL import Image

exif = Image.Exif()
exif[274] = 6
seen = {}
for suffix in ("jpg", "png", "tif"):
    Image.new("RGB", (60, 40)).save("photo." + suffix, exif=exif)
    image = Image.open("photo." + suffix)
    before = image.size, image.getexif().get(274)
    image.load()
    seen[suffix] = before, (image.size, image.getexif().get(274))
stored = tifffile.imread("photo.tif").shape[1::-1]
print("pillow", PIL.__version__, "tifffile", tifffile.__version__,
      "| guessed: (60, 40), 6 before and after load, for all | seen:")
for suffix, states in seen.items(): print("  ", suffix, *states)
print("   tifffile", stored)
plain = ((60, 40), 6), ((60, 40), 6)
if not (seen["jpg"] == seen["png"] == plain and seen["tif"] == (((40, 60), 6), ((40, 60), None)) and stored == (60, 40)):
    sys.exit("changed: Pillow turns TIFF at another time, or not, now")
END
