#!/usr/bin/env bash
# Guess: DSCamera.world2cam's mask says whether a point's direction lies within the camera's field of view.
# Instead: z in metres is compared with the cosine of half the angle, without dividing by the distance: with fov=220 a
# point at 100 deg is inside at 1 m and outside at 5 m; with fov=90 one at 60 deg is outside at 1 m and inside at 5 m.
# Bites: visibility of landmarks through a double-sphere camera depends on the units of the map.
# Do: give unit vectors; the pixels do not change.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq dscamera==0.0.4 opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np
from dscamera import DSCamera

lens = dict(fx=200, fy=200, cx=400, cy=400, xi=-0.2, alpha=0.6)
seen = {}
for fov_deg, angle_deg in ((220, 100), (90, 60)):
    camera = DSCamera(img_size=(800, 800), intrinsic=lens, fov=fov_deg)
    angle = np.radians(angle_deg)
    for distance in (0.5, 1, 5):
        pixel, inside = camera.world2cam(distance * np.array([[np.sin(angle), 0, np.cos(angle)]]))
        seen.setdefault((fov_deg, angle_deg), []).append(bool(inside[0]))
print("dscamera", version("dscamera"), "| guessed: True at every distance for 100 of 220 deg, False for 60 of 90")
print("seen at 0.5, 1 and 5 m:", seen)
if seen != {(220, 100): [True, True, False], (90, 60): [False, False, True]}:
    sys.exit("changed: the mask is made differently now")
END
