#!/usr/bin/env bash
# Guess: getCameraIntrinsics(socket, 640, 480) of a camera calibrated at 3840x2160 is for a picture scaled to 480 rows and
# cropped at the sides, as its documentation's "crops the remaining part" says: fx = 1500 * 480 / 2160 = 333.3.
# Instead: it is for a picture scaled to 640 columns with bars above and below: fx = 250.
# Bites: a cropped stream (the default of requestOutput) localized with it: 25 % wrong focal length. Do: scale K by hand.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq depthai==3.12.0
v/bin/python - << 'END'
from importlib.metadata import version
import sys
import depthai as dai

calibration = dai.CalibrationHandler()
calibration.setCameraIntrinsics(dai.CameraBoardSocket.CAM_A, [[1500.0, 0, 1920.0], [0, 1500.0, 1080.0], [0, 0, 1.0]], 3840, 2160)
k = calibration.getCameraIntrinsics(dai.CameraBoardSocket.CAM_A, 640, 480)
print("depthai", version("depthai"), "| guessed: fx 333.3, centre 320 240 | seen: fx", k[0][0], "centre", k[0][2], k[1][2])
if (k[0][0], k[1][1], k[1][2]) != (250.0, 250.0, 240.0): sys.exit("changed: intrinsics of another aspect ratio are scaled differently now")
END
