#!/usr/bin/env bash
# Guess: readers agree on an unknown focal length, which EXIF writes as 0/0: absent, or not a number.
# Instead: Pillow gives nan, exif the integer 0, and exifread a Ratio whose float() raises ZeroDivisionError.
# Bites: lenses without electronics: a camera matrix with f = 0, or a nan that passes every "<= 0" check.
# Do: look at the two numbers before dividing, and accept a focal length only if 0 < f < infinity.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pillow==13.0.0 exifread==3.5.1 exif==1.6.1
v/bin/python - << 'END'
import io, math, sys
import exif, exifread, PIL
from importlib.metadata import version
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

tags, file = Image.Exif(), io.BytesIO()
tags.get_ifd(0x8769)[0x920A] = IFDRational(0, 0)
Image.new("RGB", (40, 30)).save(file, "JPEG", exif=tags)
pillow = float(Image.open(file).getexif().get_ifd(0x8769)[0x920A])
file.seek(0)
try: ratio = float(exifread.process_file(file)["EXIF FocalLength"].values[0])
except ZeroDivisionError as error: ratio = type(error).__name__
plain = float(exif.Image(file.getvalue()).focal_length)
print("pillow", PIL.__version__, "exifread", version("exifread"), "exif", version("exif"))
print("guessed: one answer | seen: pillow", pillow, "exifread", ratio, "exif", plain)
if not (math.isnan(pillow) and ratio == "ZeroDivisionError" and plain == 0): sys.exit("changed: 0/0 is read differently now")
END
