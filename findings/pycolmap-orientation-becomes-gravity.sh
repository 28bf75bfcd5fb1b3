#!/usr/bin/env bash
# Guess: EXIF's orientation only says how to turn the picture for viewing; importing images takes nothing but size, focal
# length and GNSS position from EXIF.
# Instead: each image with orientation 1, 3, 6 or 8 gets a pose prior with a GRAVITY direction in the image plane; 1, which
# cameras without a tilt sensor always write, claims that the camera was level.
# Bites: looking down from a drone or up at a ceiling: steps that use gravity priors are told a direction 90 deg off.
# Do: clear the priors' gravity (or the tag) unless the pictures were taken about level.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 pillow==13.0.0 numpy==2.4.6
v/bin/python - << 'END'
from pathlib import Path
from PIL import Image
Path("images").mkdir()
for orientation in ("none", 1, 2, 3, 6, 8):
    exif = Image.Exif()
    if orientation != "none": exif[274] = orientation
    Image.new("RGB", (320, 240)).save(f"images/{orientation}.jpg", exif=exif)
END
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap

pycolmap.logging.minloglevel = 3
pycolmap.Database.open("d.db").close()
pycolmap.import_images("d.db", "images", camera_mode=pycolmap.CameraMode.PER_IMAGE)
with pycolmap.Database.open("d.db") as database:
    names = {image.image_id: image.name for image in database.read_all_images()}
    seen = {names[p.corr_data_id.id]: np.round(p.gravity).tolist() for p in database.read_all_pose_priors()}
print("pycolmap", pycolmap.__version__,
      "| guessed: no prior, as there is no position | seen, gravity by image:", dict(sorted(seen.items())))
if seen != {"1.jpg": [0, 1, 0], "3.jpg": [0, -1, 0], "6.jpg": [1, 0, 0], "8.jpg": [-1, 0, 0]}:
    sys.exit("changed: the orientation is taken differently now")
END
