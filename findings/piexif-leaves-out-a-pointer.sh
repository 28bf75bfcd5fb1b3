#!/usr/bin/env bash
# Guess: a minimal EXIF block by piexif (only FocalLengthIn35mmFilm) is read by all, as one by Pillow is.
# Instead: piexif leaves out the four bytes that end each sub-directory (the next directory's offset). With only short
# values the block then ends too early: pycolmap drops the focal length. Pillow and exifread do not mind.
# Bites: frames of a video tagged with the phone's focal length by a script: the tag is there, and has no effect.
# Do: write with Pillow, or add any value that is stored outside the entry, such as LensModel.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq piexif==1.1.3 pillow==13.0.0 pycolmap==4.2.1
v/bin/python - << 'END'
import piexif
from PIL import Image
photo, exif = Image.new("RGB", (400, 300)), Image.Exif()
photo.save("piexif.jpg", exif=piexif.dump({"Exif": {0xA405: 28}}))
exif.get_ifd(0x8769)[0xA405] = 28
photo.save("pillow.jpg", exif=exif)
END
v/bin/python - << 'END'
import sys
import piexif, pycolmap
from importlib.metadata import version

seen = {}
for name in ("piexif", "pillow"):
    camera = pycolmap.infer_camera_from_image(name + ".jpg")
    seen[name] = piexif.load(name + ".jpg")["Exif"].get(0xA405), round(camera.focal_length), camera.has_prior_focal_length
print("piexif", version("piexif"), "pycolmap", pycolmap.__version__, "| guessed: (28, 324, True) for both")
print("seen (35 mm value, pycolmap's focal length, prior), by writer:", seen)
if seen != {"piexif": (28, 480, False), "pillow": (28, 324, True)}:
    sys.exit("changed: one of the two writes or reads differently now")
END
