#!/usr/bin/env bash
# Guess: a trajectory of the .log or TUM format, which hold no intrinsics, is read with none, or with a warning.
# Instead: each pose comes with a PrimeSense camera: 640x480, focal length 525, whatever camera wrote the file; no word is said.
# Bites: TSDF integration and colour-map optimization take them from the trajectory: a model of the wrong size.
# Do: set parameters[i].intrinsic after reading, or use .json, which keeps them.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq open3d-cpu==0.20.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
import open3d as o3d

one = o3d.camera.PinholeCameraParameters()
one.intrinsic = o3d.camera.PinholeCameraIntrinsic(1920, 1080, 1400, 1400, 960, 540)
one.extrinsic = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
walk = o3d.camera.PinholeCameraTrajectory()
walk.parameters = [one, one]
seen = {}
for ending in ("json", "log", "txt"):
    o3d.io.write_pinhole_camera_trajectory(f"walk.{ending}", walk)
    camera = o3d.io.read_pinhole_camera_trajectory(f"walk.{ending}").parameters[0].intrinsic
    seen[ending] = (camera.width, camera.height, *camera.get_focal_length())
print("open3d", o3d.__version__, "| guessed: 1920x1080, 1400 from json, none from the others | seen:", seen)
if seen != {"json": (1920, 1080, 1400, 1400)} | dict.fromkeys(("log", "txt"), (640, 480, 525, 525)): sys.exit("changed: other intrinsics are read now")
END
