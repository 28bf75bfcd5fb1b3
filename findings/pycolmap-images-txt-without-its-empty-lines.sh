#!/usr/bin/env bash
# Guess: in an images.txt of poses alone, where the second line of each image (its keypoints) is empty, a missing empty line is an error, or
# an image without keypoints.
# Instead: without the LAST one the last image is left out; without any of them every second image is: its line is taken for the
# keypoints of the one before, and its ten values, the name among them, do not trouble the reader. Not a word.
# Bites: known poses written by a script and saved by an editor, or checked in with a hook, that trims empty lines at a file's end: a
# camera less, or half of them, in a model that is valid. Do: compare num_images() with the names that were written.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
import pycolmap

lines = [f"{number} 1 0 0 0 {number} 0 0 1 {number}.jpg" for number in (1, 2, 3, 4)]
files = {"as COLMAP writes it": "\n\n".join(lines) + "\n\n", "end trimmed": "\n\n".join(lines) + "\n", "no empty lines": "\n".join(lines) + "\n"}
seen = {}
for what, text in files.items():
    for name, content in (("cameras", "1 PINHOLE 640 480 500 500 320 240\n"), ("images", text), ("points3D", "")):
        with open(name + ".txt", "w") as file:
            file.write(content)
    model = pycolmap.Reconstruction()
    model.read_text(".")
    seen[what] = sorted(image.name for image in model.images.values())
print("pycolmap", pycolmap.__version__, "| guessed: four images, or an error | seen:", seen)
if [len(names) for names in seen.values()] != [4, 3, 2]: sys.exit("changed: images.txt without empty lines is read differently now")
END
