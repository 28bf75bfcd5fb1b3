#!/usr/bin/env bash
# Guess: write_pinhole_camera_trajectory("x.txt") writes a TUM file of as many poses, which Open3D and others read back.
# Instead: its comment line has no line end, so the first pose is part of it: three are written,
# two come back, to Open3D as to all that skip comments (evo does).
# Bites: every trajectory of Open3D loses its start in silence, and poses paired by number are off by one.
# Do: write .json or .log, or put a line end after "<qw>" in the file.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq open3d-cpu==0.20.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, open3d as o3d

def pose(metres):
    one = o3d.camera.PinholeCameraParameters()
    one.intrinsic = o3d.camera.PinholeCameraIntrinsic(640, 480, 500, 500, 320, 240)
    extrinsic = np.eye(4)
    extrinsic[0, 3] = -metres
    one.extrinsic = extrinsic
    return one

walk = o3d.camera.PinholeCameraTrajectory()
walk.parameters = [pose(metres) for metres in (1, 2, 3)]
read = {}
for ending in ("json", "log", "txt"):
    if not o3d.io.write_pinhole_camera_trajectory(f"walk.{ending}", walk): sys.exit(f"changed: {ending} is not written")
    read[ending] = [-one.extrinsic[0, 3].item() for one in o3d.io.read_pinhole_camera_trajectory(f"walk.{ending}").parameters]
in_file = [line for line in open("walk.txt").read().splitlines() if not line.startswith("#")]
print("open3d", o3d.__version__, "| guessed: 1, 2, 3 m from all | seen:", read, "| lines without a #:", len(in_file))
if read != {"json": [1, 2, 3], "log": [1, 2, 3], "txt": [2, 3]} or len(in_file) != 2: sys.exit("changed: other poses come back now")
END
