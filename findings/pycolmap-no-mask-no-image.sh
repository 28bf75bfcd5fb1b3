#!/usr/bin/env bash
# Guess: with mask_path set, an image that has no mask is used whole; only those that have one are masked.
# Instead: it is left out: not in the database, no exception, one line of log among many.
# Bites: masks made only for the few frames with people in them; the map then consists of just those.
# Do: write a white mask for every other image, and compare the database's images with the folder's.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
import numpy as np
from pathlib import Path
from PIL import Image
for folder in ("images", "masks"): Path(folder).mkdir()
for name in ("a.png", "b.png"):
    noise = np.random.default_rng(ord(name[0])).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(noise).resize((320, 240), Image.BICUBIC).save("images/" + name)
Image.new("L", (320, 240), 255).save("masks/a.png.png")
END
v/bin/python - << 'END'
import sys
import pycolmap

pycolmap.logging.minloglevel = 3

def keypoints(name, **reader):
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads, options.use_gpu = 1, False
    reader_options = pycolmap.ImageReaderOptions(**reader)
    pycolmap.extract_features(name + ".db", "images", extraction_options=options, reader_options=reader_options)
    with pycolmap.Database.open(name + ".db") as database:
        return {i.name: database.read_keypoints(i.image_id) for i in database.read_all_images()}

seen = {"without masks": sorted(keypoints("plain")), "with one mask": sorted(keypoints("masked", mask_path="masks"))}
print("pycolmap", pycolmap.__version__, "| guessed: a.png and b.png each time | seen:", seen)
if seen != {"without masks": ["a.png", "b.png"], "with one mask": ["a.png"]}:
    sys.exit("changed: images without a mask are kept now")
END
