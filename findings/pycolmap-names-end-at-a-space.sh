#!/usr/bin/env bash
# Guess: a model written as text and read again has the images' names that it had.
# Instead: write_text writes "my photo.jpg" as it is and read_text stops at the space: the image is then called "my".
# The binary files keep the name.
# Bites: names from phones and "IMG_1 (2).jpg": images are not found, or two of them share a name.
# Do: rename before mapping, or exchange models as binary.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
from pathlib import Path
import pycolmap

options = pycolmap.SyntheticDatasetOptions()
options.num_rigs = options.num_cameras_per_rig = 1
options.num_frames_per_rig, options.num_points3D = 4, 20
model = pycolmap.synthesize_dataset(options)

model.images[min(model.images)].name = "my photo (2).jpg"
for folder in ("text", "binary"): Path(folder).mkdir()
model.write_text("text")
model.write_binary("binary")
text, binary = pycolmap.Reconstruction(), pycolmap.Reconstruction()
text.read_text("text")
binary.read_binary("binary")
names = [m.images[min(m.images)].name for m in (text, binary)]
print("pycolmap", pycolmap.__version__,
      "| guessed: my photo (2).jpg from both | seen: text", repr(names[0]), "binary", repr(names[1]))
if names != ["my", "my photo (2).jpg"]: sys.exit("changed: names with spaces are read differently now")
END
