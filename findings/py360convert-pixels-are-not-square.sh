#!/usr/bin/env bash
# Guess: e2p(panorama, 90, ..., out_hw=(480, 640)) is a pinhole picture of square pixels, 90 deg wide: a focal length of 320 px.
# Instead: one angle is taken for both directions: 319.5 px in x, 239.5 in y, objects a third too wide; and the angle lies between the
# middles of the outermost pixels, so that it is (width - 1) / 2, not width / 2.
# Bites: panoramas cut into views for SfM or localization with one focal length. Do: give (h, v) with v = 2 atan(tan(h / 2) (h - 1) / (w - 1)),
# the last two being the picture's height and width.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq py360convert==1.0.4 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np
from py360convert import e2p

east, up = np.meshgrid((np.arange(4096) + 0.5) / 4096 * 360 - 180, 90 - (np.arange(2048) + 0.5) / 2048 * 180)
view = e2p(np.stack([east, up], axis=-1), 90, 0, 0, (480, 640))
across, down = np.tan(np.radians(view[240, :, 0])), -np.tan(np.radians(view[:, 320, 1]))
focal = [round(1 / float(np.polyfit(np.arange(len(line)), line, 1)[0]), 1) for line in (across, down)]
print("py360convert", version("py360convert"), "| guessed focal length: 320 320 | seen:", *focal)
if not (abs(focal[0] - 319.5) < 0.2 and abs(focal[1] - 239.5) < 0.4): sys.exit("changed: the view has another focal length now")
END
