#!/usr/bin/env bash
# Guess: modify_exif with FocalLength "4.2" writes 42/10, or raises, as the tag is a rational number.
# Instead: no error, and the tag is there with an EMPTY value; "42/10" works. Pillow then has no focal length for the photograph.
# Bites: focal lengths and exposure times put into many photographs by a script; the originals' values are gone, too.
# Do: write fractions ("42/10"), and read back what was written.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pyexiv2==2.16.0 pillow==13.0.0
v/bin/python - << 'END'
import io, sys
import pyexiv2
from PIL import Image

plain = io.BytesIO()
Image.new("RGB", (40, 30)).save(plain, "JPEG")
seen = {}
for value in ("42/10", "4.2"):
    photo = pyexiv2.ImageData(plain.getvalue())
    photo.modify_exif({"Exif.Photo.FocalLength": value})
    tags = Image.open(io.BytesIO(photo.get_bytes())).getexif().get_ifd(0x8769)
    seen[value] = photo.read_exif().get("Exif.Photo.FocalLength"), str(tags.get(0x920A))
print("pyexiv2", pyexiv2.__version__, "| guessed: 42/10 for both, or an error | seen (pyexiv2, pillow):", seen)
if not (seen["42/10"] == ("42/10", "4.2") and seen["4.2"][0] == ""): sys.exit("changed: decimals are written, or refused, now")
END
