#!/usr/bin/env bash
# Guess: a quaternion of any length is a rotation: scaled to length one when it is read, or refused.
# Instead: Rotation3d, images.txt and the sensors of rigs.txt keep it as it is, and the matrix made of it is none of a
# rotation: a quarter turn about z written as 2 0 0 2 has the determinant 113.
# Bites: models written by other tools with rounded or float32 quaternions: points are moved by the length's error, in silence.
# Do: divide each quaternion by its length before pycolmap sees it, or check the determinant after reading.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6 scipy==1.17.1
v/bin/python - << 'END'
import sys
from pathlib import Path
import numpy as np, pycolmap
from scipy.spatial.transform import Rotation

Path("cameras.txt").write_text("1 PINHOLE 640 480 500 500 320 240\n2 PINHOLE 640 480 500 500 320 240\n")
Path("images.txt").write_text("1 2 0 0 2 0 0 0 1 a.jpg\n\n")
Path("points3D.txt").write_text("")
rotation = pycolmap.Reconstruction(".").images[1].cam_from_world().rotation
Path("images.txt").write_text("1 1 0 0 0 0 0 0 1 a.jpg\n\n2 1 0 0 0 0 0 0 2 b.jpg\n\n")
Path("rigs.txt").write_text("1 2 CAMERA 1 CAMERA 2 1 2 0 0 2 1 0 0\n")
Path("frames.txt").write_text("1 1 1 0 0 0 0 0 0 2 CAMERA 1 1 CAMERA 2 2\n")
mounted = pycolmap.Reconstruction(".").rigs[1].sensor_from_rig(pycolmap.sensor_t(pycolmap.SensorType.CAMERA, 2)).rotation
made = pycolmap.Rotation3d(np.array([0, 0, 2.0, 2.0]))
seen = [round(float(np.linalg.det(one.matrix()))) for one in (made, rotation, mounted)]
by_scipy = round(float(np.linalg.det(Rotation.from_quat([0, 0, 2, 2]).as_matrix())))
print("pycolmap", pycolmap.__version__, "| guessed: determinants of 1 | seen: Rotation3d, images.txt, rigs.txt", seen, "scipy", by_scipy)
if (seen, by_scipy) != ([113, 113, 113], 1): sys.exit("changed: quaternions are scaled to length one now")
END
