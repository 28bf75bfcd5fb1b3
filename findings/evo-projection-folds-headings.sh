#!/usr/bin/env bash
# Guess: project(Plane.XZ) keeps the headings of a camera that turns about y, as project(Plane.XY) keeps those about z.
# Instead: the heading is the middle one of three Euler angles, which ends at 90 deg: 120 deg becomes 60, a half turn becomes 0.
# Bites: KITTI and every camera frame with y down: evo_ape --project_to_plane xz -r angle_deg (or full) compares folded headings:
# an estimate that looks the wrong way passes as right.
# Do: turn the trajectory into a frame with z up and project to xy.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq evo==1.38.1 numpy==2.4.6 scipy==1.17.1
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np
from evo.core.trajectory import Plane, PosePath3D
from scipy.spatial.transform import Rotation

headings = [0, 60, 120, 180, -100]
seen = {}
for plane, axis in ((Plane.XY, 2), (Plane.XZ, 1), (Plane.YZ, 0)):
    poses = []
    for heading in headings:
        poses.append(np.eye(4))
        poses[-1][:3, :3] = Rotation.from_rotvec(np.eye(3)[axis] * heading, degrees=True).as_matrix()
    path = PosePath3D(poses_se3=poses)
    path.project(plane)
    turns = [Rotation.from_matrix(pose[:3, :3]).as_rotvec(degrees=True)[axis] for pose in path.poses_se3]
    seen[plane.name] = [round(float(turn)) + 0 for turn in turns]
print("evo", version("evo"), "| guessed:", headings, "in every plane | seen:", seen)
if [abs(h) for h in seen["XZ"]] != [0, 60, 60, 0, 80] or [abs(h) for h in seen["XY"]] != [0, 60, 120, 180, 100]:
    sys.exit("changed: headings are projected differently now")
END
