#!/usr/bin/env bash
# Guess: img_from_cam of a point far outside the picture is a pixel outside it, or None, as cam_from_img is for pixels beyond the model's reach.
# Instead: a barrel's polynomial turns round: with k = -0.4 points from 43 deg on come back towards the picture, at 58 deg they are in its middle.
# Bites: projecting a map to see what a camera views, drawing, ignore masks. Do: compare with cam_from_img of the pixel that came out.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap

camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=[500, 320, 240, -0.4])
seen = {}
for degrees in (20, 35, 48, 58):
    pixel = camera.img_from_cam(np.array([np.tan(np.radians(degrees)), 0, 1]))
    ray = camera.cam_from_img(pixel)
    seen[degrees] = round(float(pixel[0])), None if ray is None else round(float(np.degrees(np.arctan(ray[0]))))
print("pycolmap", pycolmap.__version__, "cam_from_img(639, 240) is", camera.cam_from_img(np.array([639.0, 240])),
      "| guessed: columns grow with the angle, or None | seen, by angle (column, angle of that pixel):", seen)
if not (seen[35][0] > seen[20][0] and seen[58][0] < seen[48][0] < 640): sys.exit("changed: points beyond the model's reach are None now")
END
