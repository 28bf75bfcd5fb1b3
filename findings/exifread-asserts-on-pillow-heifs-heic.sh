#!/usr/bin/env bash
# Guess: exifread, which reads HEIC, reads the EXIF of a HEIC that pillow-heif wrote; if not, it returns an empty dictionary.
# Instead: AssertionError without a word: it wants the bytes "Exif" right before the TIFF header, at an offset that this
# file fills differently. Pillow reads the tags.
# Bites: one such file ends an import of a thousand photographs, since only exifread's own errors are caught.
# Do: read HEIC's EXIF with pillow-heif.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pillow-heif==1.8.1 pillow==13.0.0 exifread==3.5.1
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import exifread, pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()
exif = Image.Exif()
exif[271] = "Maker"
Image.new("RGB", (64, 48)).save("p.heic", exif=exif.tobytes())
pillow = Image.open("p.heic").getexif().get(271)
try:
    with open("p.heic", "rb") as file: seen = str(exifread.process_file(file).get("Image Make"))
except Exception as error:
    seen = type(error).__name__
print("exifread", version("exifread"), "pillow-heif", pillow_heif.__version__,
      "| guessed: Maker from both | seen: pillow", pillow, "exifread", seen)
if (pillow, seen) != ("Maker", "AssertionError"): sys.exit("changed: exifread treats such a file differently now")
END
