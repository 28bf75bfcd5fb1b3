#!/usr/bin/env bash
# Guess: the poses of a text model are those in images.txt, as they always were; editing them moves the cameras.
# Instead: where frames.txt lies beside it (every model that 4.x writes), images.txt's poses are skipped in silence.
# Bites: scripts of the 3.x days that align or correct images.txt: they run, and nothing moves.
# Do: edit frames.txt, use Reconstruction.transform, or delete rigs.txt and frames.txt after the edit.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import re, sys
from pathlib import Path
import numpy as np, pycolmap

options = pycolmap.SyntheticDatasetOptions()
options.num_rigs = options.num_cameras_per_rig = 1
options.num_frames_per_rig, options.num_points3D = 4, 20
model = pycolmap.synthesize_dataset(options)

Path("model").mkdir()
model.write_text("model")
images = Path("model/images.txt")
pose_line = re.compile(r"^(\d+(?: \S+){4}) \S+ \S+ \S+ (\d+ camera\S+)$", re.M)
edited, count = pose_line.subn(r"\1 100 200 300 \2", images.read_text())
images.write_text(edited)

def shift():
    read = pycolmap.Reconstruction()
    read.read_text("model")
    return next(iter(read.images.values())).cam_from_world().translation.round(3).tolist()

beside = shift()
for name in ("frames.txt", "rigs.txt"): Path("model", name).unlink()
alone = shift()
print("pycolmap", pycolmap.__version__,
      "|", count, "poses edited | guessed: [100, 200, 300] | seen:", beside, "| without frames.txt:", alone)
if count != 4 or np.allclose(beside, [100, 200, 300]) or alone != [100, 200, 300]:
    sys.exit("changed: images.txt's poses count now")
END
