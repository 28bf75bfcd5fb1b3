#!/usr/bin/env bash
# Guess: exif.get_ifd(0x8769)[FocalLength] = 4.2 is saved as the RATIONAL that EXIF prescribes for this tag.
# Instead: a python float becomes a DOUBLE, and (42, 10), piexif's spelling, becomes two SHORTs. Pillow itself reads both
# back as if nothing were wrong; pycolmap finds no focal length and guesses one.
# Bites: photographs written or copied by a script: maps start from 1.2 x width instead of the known focal length.
# Do: give PIL.TiffImagePlugin.IFDRational(42, 10).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pillow==13.0.0 exifread==3.5.1
v/bin/python - << 'END'
import io, sys
import exifread, PIL
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

seen = {}
for name, value in {"float": 4.2, "pair": (42, 10), "IFDRational": IFDRational(42, 10)}.items():
    exif, file = Image.Exif(), io.BytesIO()
    exif.get_ifd(0x8769)[0x920A] = value
    Image.new("RGB", (400, 300)).save(file, "JPEG", exif=exif)
    tag = exifread.process_file(file)["EXIF FocalLength"]
    open(name + ".jpg", "wb").write(file.getvalue())
    seen[name] = int(tag.field_type), len(tag.values)
print("pillow", PIL.__version__, "| guessed: type 5 (RATIONAL), one value | seen (type, count):", seen)
if seen != {"float": (12, 1), "pair": (3, 2), "IFDRational": (5, 1)}: sys.exit("changed: Pillow writes other types now")
END
