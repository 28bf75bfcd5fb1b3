#!/usr/bin/env bash
# Guess: add_point_cloud shows float32 points, as add_line_segments does.
# Instead: without precision="float32" they are cast to float16: steps of 6 cm beyond 64 m, half a metre beyond 512 m, and
# infinite, so not shown, beyond 65 km.
# Bites: a map's points and the trajectory through them do not lie on each other; a map in UTM is empty without a word.
# Do: subtract the cloud's middle, give it as position=, and pass precision="float32".
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq viser==1.1.1 numpy==2.4.6
v/bin/python - << 'END'
import contextlib, io, sys, warnings
from importlib.metadata import version
import numpy as np, viser
warnings.simplefilter("ignore")

points = np.array([[100.03, 0, 0], [700.2, 0, 0], [5000000.0, 0, 0]])
with contextlib.redirect_stdout(io.StringIO()):
    server = viser.ViserServer(host="127.0.0.1", port=18000 + np.random.default_rng().integers(4000))
    cloud = server.scene.add_point_cloud("map", points, colors=(255, 0, 0))
    lines = server.scene.add_line_segments("way", np.stack([points, points], axis=1), colors=(0, 255, 0))
    seen = {"cloud": cloud.points[:, 0].tolist(), "lines": lines.points[:, 0, 0].tolist()}
    server.stop()
print("viser", version("viser"), "| guessed: 100.03 700.2 5000000 in both | seen:", seen)
if not (np.isinf(seen["cloud"][2]) and abs(seen["cloud"][1] - 700.2) > 0.1 and abs(seen["lines"][1] - 700.2) < 1e-3):
    sys.exit("changed: clouds are sent in another precision now")
END
