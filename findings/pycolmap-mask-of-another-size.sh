#!/usr/bin/env bash
# Guess: a mask at half the image's size (masks from a network often are) is scaled to the image, or refused.
# Instead: it is laid on the image's top left corner, pixel for pixel, and everything beyond its border counts as masked.
# Bites: half of the features vanish and the rest is masked at the wrong places; nothing says so but a smaller count.
# Do: resize masks (nearest) to each image's stored size, unturned, before extract_features.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
import numpy as np
from pathlib import Path
from PIL import Image
for folder in ("images", "full", "half"): Path(folder).mkdir()
noise = np.random.default_rng(0).integers(0, 255, (38, 50, 3)).astype(np.uint8)
Image.fromarray(noise).resize((400, 300), Image.BICUBIC).save("images/a.png")
mask = np.zeros((300, 400), np.uint8)
mask[:, 200:] = 255
Image.fromarray(mask).save("full/a.png.png")
Image.fromarray(mask[::2, ::2]).save("half/a.png.png")
END
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap

pycolmap.logging.minloglevel = 3

def keypoints(name, **reader):
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads, options.use_gpu = 1, False
    reader_options = pycolmap.ImageReaderOptions(**reader)
    pycolmap.extract_features(name + ".db", "images", extraction_options=options, reader_options=reader_options)
    with pycolmap.Database.open(name + ".db") as database:
        return {i.name: database.read_keypoints(i.image_id) for i in database.read_all_images()}

columns = {"none": keypoints("none")["a.png"][:, 0]}
columns |= {name: keypoints(name, mask_path=name)["a.png"][:, 0] for name in ("full", "half")}
seen = {name: (len(x), int(x.min()), int(x.max())) for name, x in columns.items()}
print("pycolmap", pycolmap.__version__, "| the mask shows the right half, x >= 200 | guessed: half as full, or an error")
print("seen (count, leftmost, rightmost), without a mask, full size, half size:", seen)
if not (seen["full"][1] >= 199 and seen["full"][2] > 300 and 98 <= seen["half"][1] < 110 and seen["half"][2] <= 200):
    sys.exit("changed: masks of another size are treated differently now")
END
