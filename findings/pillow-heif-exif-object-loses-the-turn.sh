#!/usr/bin/env bash
# Guess: image.save("p.heic", exif=photo.getexif()) keeps a portrait photograph upright, as saving JPEG this way does.
# Instead: given an Image.Exif object the file gets the EXIF tag but no rotation box. HEIC readers go by the box: the image
# lies on its side, and Pillow then reports orientation 1. With the same EXIF as BYTES (exif.tobytes()) all is well.
# Bites: archives converted to HEIC by a script: no reader can tell that the photographs are to be turned.
# Do: pass exif.tobytes(), or turn the pixels (ImageOps.exif_transpose) before saving.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pillow-heif==1.8.1 pillow==13.0.0
v/bin/python - << 'END'
import sys
import pillow_heif
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
exif = Image.Exif()
exif[274] = 6
photo = Image.new("RGB", (60, 40))
seen = {}
for name, given in {"object": exif, "bytes": exif.tobytes()}.items():
    photo.save("p.heic", exif=given)
    photo.save("p.jpg", exif=given)
    back = Image.open("p.heic")
    seen[name] = ImageOps.exif_transpose(Image.open("p.jpg")).size, ImageOps.exif_transpose(back).size, back.getexif().get(274)
print("pillow-heif", pillow_heif.__version__,
      "| guessed: (40, 60) everywhere | seen (upright JPEG, upright HEIC, HEIC's tag):", seen)
if seen != {"object": ((40, 60), (60, 40), 1), "bytes": ((40, 60), (40, 60), 1)}:
    sys.exit("changed: the EXIF object is heeded now")
END
