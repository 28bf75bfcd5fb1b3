#!/usr/bin/env bash
# Guess: import_images(database, folder) makes the database where there is none, as extract_features(database, folder) does.
# Instead: ValueError "Check failed: colmap::ExistsFile", which seems to speak of an image.
# Bites: pipelines with their own features, where import_images is the first step. Do: pycolmap.Database.open(path).close() before.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
import os, sys
import numpy as np, pycolmap
from PIL import Image

pycolmap.logging.minloglevel = 3
os.mkdir("images")
Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)).save("images/0.png")
seen = {}
for step in (pycolmap.extract_features, pycolmap.import_images):
    try:
        step(f"{step.__name__}.db", "images")
        with pycolmap.Database.open(f"{step.__name__}.db") as database: seen[step.__name__] = database.num_images()
    except ValueError as error: seen[step.__name__] = str(error).split("Check failed: ")[-1][:30]
print("pycolmap", pycolmap.__version__, "| guessed: one image each | seen:", seen)
if seen["extract_features"] != 1 or "ExistsFile" not in str(seen["import_images"]): sys.exit("changed: both treat an absent database alike now")
END
