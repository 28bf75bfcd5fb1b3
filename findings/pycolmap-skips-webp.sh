#!/usr/bin/env bash
# Guess: an image that cannot be decoded stops extract_features or import_images with an error; and WebP can be decoded.
# Instead: the wheel reads JPEG, PNG and TIFF but not WebP, AVIF or GIF; such files are logged and left out, no exception.
# Bites: a folder of which a part was re-saved for the web: the map is made of what remains.
# Do: convert beforehand (with the EXIF), and compare the database's images with the folder's.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
from pathlib import Path
from PIL import Image
Path("images").mkdir()
for suffix in ("jpg", "png", "tif", "webp", "avif", "gif"):
    Image.new("RGB", (320, 240), (90, 90, 90)).save("images/a." + suffix)
END
v/bin/python - << 'END'
import sys
import pycolmap

pycolmap.logging.minloglevel = 3
pycolmap.Database.open("d.db").close()
pycolmap.import_images("d.db", "images", camera_mode=pycolmap.CameraMode.PER_IMAGE)
with pycolmap.Database.open("d.db") as database: seen = sorted(i.name for i in database.read_all_images())
print("pycolmap", pycolmap.__version__, "| guessed: all six, or an error | seen:", seen)
if seen != ["a.jpg", "a.png", "a.tif"]: sys.exit("changed: other formats are read now, or others are left out")
END
