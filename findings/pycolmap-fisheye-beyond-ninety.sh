#!/usr/bin/env bash
# Guess: cam_from_img of a fisheye pixel 95 deg off the axis is None, as img_from_cam is for that ray: x / z does not exist.
# Instead: beyond 90 deg the ANGLE comes back in place of its tangent: 95 deg gives (1.658, 0), a ray at 58.9 deg.
# Bites: with a lens of more than 180 deg, poses and triangulation get rays into quite another part of the room.
# cam_ray_from_img, which could say it, gives the same ray. Do: invert theta_d(theta) yourself, or drop such pixels.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap

camera = pycolmap.Camera(model="OPENCV_FISHEYE", width=1200, height=1200, params=[300, 300, 600, 600, 0, 0, 0, 0])
seen = {}
for angle_deg in (80, 95):
    angle = np.radians(angle_deg)
    pixel = np.array([600 + 300 * angle, 600])
    plain, ray = camera.cam_from_img(pixel), camera.cam_ray_from_img(pixel)
    seen[angle_deg] = (round(float(np.degrees(np.arctan(plain[0]))), 2), round(float(np.degrees(np.arctan2(ray[0], ray[2]))), 2))
print("pycolmap", pycolmap.__version__,
      "| guessed: 80, and None or 95 for 95 | seen, deg (cam_from_img, cam_ray_from_img):", seen)
if seen != {80: (80.0, 80.0), 95: (58.91, 58.91)}: sys.exit("changed: fisheye pixels beyond 90 deg are treated differently now")
END
