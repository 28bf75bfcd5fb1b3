#!/usr/bin/env bash
# Guess: a photograph with latitude and longitude in its EXIF but no altitude gets a pose prior at that place, its height nan or 0.
# Instead: it gets none at all, as does one whose altitude is 0/0; not a word. The others of the folder have theirs.
# Bites: phones indoors, geotagging by a track or by hand, privacy settings: spatial matching and alignment by GPS leave these images
# out, a whole device of them. Do: write an altitude before importing, or PosePrior objects into the database afterwards.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
from pathlib import Path
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

Path("photos").mkdir()
for name, altitude in (("with", (300, 1)), ("without", None), ("unknown", (0, 0))):
    exif = Image.Exif()
    degrees = lambda *values: tuple(IFDRational(value, 1) for value in values)
    exif[0x8825] = {1: "N", 2: degrees(48, 30, 0), 3: "E", 4: degrees(9, 15, 0)} | ({5: b"\0", 6: IFDRational(*altitude)} if altitude else {})
    Image.new("RGB", (80, 60), (90, 90, 90)).save(f"photos/{name}.jpg", exif=exif)
END
v/bin/python - << 'END'
import sys
import pycolmap

pycolmap.Database.open("photos.db").close()
pycolmap.import_images("photos.db", "photos")
database = pycolmap.Database.open("photos.db")
names = {image.image_id: image.name for image in database.read_all_images()}
seen = {names[prior.corr_data_id.id]: prior.position.round(2).tolist() for prior in database.read_all_pose_priors()}
print("pycolmap", pycolmap.__version__, "| guessed: 48.5 N, 9.25 E for all three | seen:", seen, "of", len(names), "images")
if len(names) != 3 or seen != {"with.jpg": [48.5, 9.25, 300]}: sys.exit("changed: photographs without an altitude have a position now")
END
