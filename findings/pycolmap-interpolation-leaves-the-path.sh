#!/usr/bin/env bash
# Guess: interpolate_camera_poses(a, b, 0.5) has its centre half way between both cameras; one that only turned stays where it is.
# Instead: rotation and translation of cam_from_world are interpolated by themselves. A camera 5 m from the origin that turns by 180 deg
# passes through the origin; by 90 deg it is 1.5 m off.
# Bites: poses between keyframes of a turning robot, the worse the farther the map's origin; in UTM by kilometres.
# Do: interpolate the centres, and the rotations by slerp.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6 scipy==1.17.1
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap
from scipy.spatial.transform import Rotation

def camera(heading, centre):
    turn = Rotation.from_rotvec([0, heading, 0], degrees=True)
    return pycolmap.Rigid3d(pycolmap.Rotation3d(turn.as_quat()), -turn.apply(centre))

seen = {}
for heading in (10, 90, 179):
    between = pycolmap.interpolate_camera_poses(camera(0, [0, 0, 5]), camera(heading, [0, 0, 5]), 0.5)
    seen[heading] = round(float(np.linalg.norm(between.inverse().translation - [0, 0, 5])), 3)
print("pycolmap", pycolmap.__version__, "| guessed: 0 m | seen, by degrees turned:", seen)
if not (seen[90] > 1 and seen[179] > 4): sys.exit("changed: a camera that turns on the spot stays there now")
END
