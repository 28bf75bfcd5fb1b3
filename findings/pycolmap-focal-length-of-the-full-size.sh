#!/usr/bin/env bash
# Guess: of a photograph that was made smaller, the focal length is scaled to the present width, or left unknown.
# Instead: EXIF's FocalPlaneXResolution (pixels of the ORIGINAL an inch) is applied as it is: a 400 px copy of a 4000 px
# photograph gets ten times its focal length, and has_prior_focal_length says that it can be trusted.
# Bites: single-lens reflex photographs (which often lack the 35 mm value) that a mail program or gallery made smaller.
# Do: remove those tags when resizing, or scale by width / PixelXDimension and set the camera yourself.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
exif, density = Image.Exif(), IFDRational(5798, 1)
exif.get_ifd(0x8769).update({0x920A: IFDRational(50, 1), 0xA20E: density, 0xA20F: density, 0xA210: 2, 0xA002: 4000, 0xA003: 3000})
photo = Image.new("RGB", (4000, 3000), (90, 90, 90))
photo.save("original.jpg", exif=exif)
photo.resize((400, 300)).save("copy.jpg", exif=exif)
END
v/bin/python - << 'END'
import sys
import pycolmap

seen = {}
for name in ("original", "copy"):
    camera = pycolmap.infer_camera_from_image(name + ".jpg")
    seen[name] = camera.width, round(camera.focal_length), camera.has_prior_focal_length
print("pycolmap", pycolmap.__version__,
      "| guessed: 400 px wide, 1141 or unknown, for the copy | seen (width, focal length, prior):", seen)
if seen != {"original": (4000, 11413, True), "copy": (400, 11413, True)}:
    sys.exit("changed: the focal length is found differently now")
END
