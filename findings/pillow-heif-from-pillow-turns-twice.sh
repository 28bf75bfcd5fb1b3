#!/usr/bin/env bash
# Guess: pillow_heif.from_pillow(photo).save(...) stores an image that looks as the photograph does when viewed.
# Instead: the pixels are turned upright AND the old orientation is kept and turned into a rotation box: a portrait
# photograph is turned by 90 deg twice and comes out upside down, in landscape format.
# Bites: features match nothing, and the size suggests that the orientation was never applied, so people turn once more.
# Do: ImageOps.exif_transpose first, or use Image.save with the opener registered.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pillow-heif==1.8.1 pillow==13.0.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, pillow_heif
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
stored = np.zeros((40, 60, 3), np.uint8)
stored[:20, :30] = 255
exif = Image.Exif()
exif[274] = 6
Image.fromarray(stored).save("photo.jpg", exif=exif, quality=95)

def white_corner(image):
    grey = np.asarray(image.convert("L"))
    corners = {"top left": grey[5, 5], "top right": grey[5, -6], "bottom left": grey[-6, 5], "bottom right": grey[-6, -6]}
    return image.size, max(corners, key=corners.get)

viewed = white_corner(ImageOps.exif_transpose(Image.open("photo.jpg")))
pillow_heif.from_pillow(Image.open("photo.jpg")).save("photo.heic")
seen = white_corner(ImageOps.exif_transpose(Image.open("photo.heic")))
print("pillow-heif", pillow_heif.__version__, "| viewed JPEG:", viewed, "| guessed: the same | seen HEIC:", seen)
if (viewed, seen) != (((40, 60), "top right"), ((60, 40), "bottom right")): sys.exit("changed: from_pillow turns differently now")
END
