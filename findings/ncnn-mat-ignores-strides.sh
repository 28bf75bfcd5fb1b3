#!/usr/bin/env bash
# Guess: ncnn.Mat(array) holds the array's numbers where they are, a transposed view or a slice too, or refuses it.
# Instead: it reads the memory row by row from the view's first number on: an image turned from HWC to CHW by transpose() is scrambled,
# every second row is the first rows, a crop given to Mat.from_pixels is torn. The shape is right, so nothing complains.
# Bites: the usual way of preparing an image for a network. Do: ncnn.Mat(np.ascontiguousarray(view)).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq --no-deps ncnn==1.0.20261020 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import ncnn, numpy as np

image = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
floats = image.astype(np.float32)
views = {"transposed": floats.transpose(2, 0, 1), "every second row": floats[::2], "contiguous": np.ascontiguousarray(floats.transpose(2, 0, 1))}
seen = {name: np.array_equal(np.array(ncnn.Mat(view)), view) for name, view in views.items()}
crop = image[:, 1:3]
pixels = np.array(ncnn.Mat.from_pixels(crop, ncnn.Mat.PixelType.PIXEL_BGR, 2, 6))
seen["from_pixels of a crop"] = np.array_equal(pixels, crop.transpose(2, 0, 1))
print("ncnn", version("ncnn"), "| guessed: True everywhere | seen, the array comes back:", seen)
if list(seen.values()) != [False, False, True, False]: sys.exit("changed: another set of views comes back now")
END
