#!/usr/bin/env bash
# Guess: has_prior_focal_length of a camera survives Reconstruction.write and read, as it does in the database.
# Instead: it is False afterwards, in the binary and the text format alike, for neither holds it.
# Bites: a calibrated camera in a model that is read again, and mapped on or written to a new database, counts as guessed.
# Do: set it after reading.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import os, sys
import pycolmap

pycolmap.logging.minloglevel = 3
camera = pycolmap.Camera(model="PINHOLE", width=640, height=480, params=[500, 500, 320, 240], camera_id=1)
camera.has_prior_focal_length = True
model = pycolmap.Reconstruction()
model.add_camera_with_trivial_rig(camera)
seen = {}
for kind in ("text", "binary"):
    os.mkdir(kind)
    getattr(model, f"write_{kind}")(kind)
    seen[kind] = pycolmap.Reconstruction(kind).cameras[1].has_prior_focal_length
with pycolmap.Database.open("database.db") as database:
    seen["database"] = database.read_camera(database.write_camera(camera)).has_prior_focal_length
print("pycolmap", pycolmap.__version__, "| guessed: True each | seen:", seen)
if seen != {"text": False, "binary": False, "database": True}: sys.exit("changed: models keep it now")
END
