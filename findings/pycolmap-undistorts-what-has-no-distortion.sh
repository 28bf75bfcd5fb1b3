#!/usr/bin/env bash
# Guess: undistort_camera of a camera without distortion is that camera as a pinhole: same size, same principal point.
# Instead: with distortion coefficients of zero a row and a column go, 639x479 for 640x480, and the principal point moves by half a pixel;
# a PINHOLE camera stays as it is.
# Bites: undistort_images of rectified pictures under an OPENCV model: each pixel is a mean of four, and sizes no longer fit masks and depths.
# Do: change the model to PINHOLE before.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
import pycolmap

seen = {}
for model, params in (("PINHOLE", [500, 500, 320, 240]), ("SIMPLE_RADIAL", [500, 320, 240, 0]), ("OPENCV", [500, 500, 320, 240, 0, 0, 0, 0])):
    camera = pycolmap.undistort_camera(pycolmap.UndistortCameraOptions(), pycolmap.Camera(model=model, width=640, height=480, params=params))
    seen[model] = camera.width, camera.height, float(camera.principal_point_x), float(camera.principal_point_y)
print("pycolmap", pycolmap.__version__, "| guessed: 640 480 320 240 each | seen:", seen)
if seen["PINHOLE"] != (640, 480, 320, 240) or {seen["SIMPLE_RADIAL"], seen["OPENCV"]} != {(639, 479, 319.5, 239.5)}:
    sys.exit("changed: a camera without distortion is kept now")
END
