#!/usr/bin/env bash
# Guess: rotate and transform of a 16-bit grey picture (mode I;16) with BILINEAR or BICUBIC interpolate its values, as resize does, or refuse it.
# Instead: they take its bytes for pixels: even the identity gives numbers below 256 that are no depth. The mode stays I;16. NEAREST
# is right, and so are the modes I and F. paste(300, box) writes 11308: the low byte, twice.
# Bites: depth and thermal pictures levelled, undistorted or augmented with Pillow: a plausible dark picture, everything within 25 cm.
# Do: image.convert("F") first, np.uint16 of the result afterwards.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pillow==13.0.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, PIL
from PIL import Image

y, x = np.mgrid[:60, :80]
depth = (1000 + 20 * x + 30 * y).astype(np.uint16)  # millimetres
middle = np.s_[20:40, 25:55]
identity = (1, 0, 0, 0, 1, 0)
ways = {
    "resize": lambda image, how: image.resize(image.size, how, box=(0.5, 0.5, 79, 59)),
    "rotate": lambda image, how: image.rotate(10, how),
    "identity": lambda image, how: image.transform(image.size, Image.Transform.AFFINE, identity, how),
}
seen = {}
for how in (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
    for name, way in ways.items():
        got, wanted = (np.asarray(way(image, how), float)[middle] for image in (Image.fromarray(depth), Image.fromarray(depth.astype(np.float32))))
        seen[name, how.name] = float(np.abs(got - wanted).max().round(1)), float(got.max())
print("pillow", PIL.__version__, "| guessed: at most 1 mm off, values up to 3270 | seen (mm off, greatest):", seen)
blank = Image.fromarray(depth)
blank.paste(300, (0, 0, 5, 5))
pasted = blank.getpixel((2, 2))
print("guessed: paste(300) pastes 300 | seen:", pasted)
wrong = {key for key, (off, greatest) in seen.items() if off > 1 and greatest < 256}
if wrong != {(name, how) for name in ("rotate", "identity") for how in ("BILINEAR", "BICUBIC")} or pasted != 11308:
    sys.exit("changed: 16 bits are turned differently now")
END
