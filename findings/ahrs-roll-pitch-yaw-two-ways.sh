#!/usr/bin/env bash
# Guess: ahrs.DCM(rpy=a) and ahrs.Quaternion(rpy=a) are one rotation, Rz(yaw) Ry(pitch) Rx(roll).
# Instead: Quaternion is that; DCM takes the first angle for the turn about z and the last for x. DCM.to_rpy returns neither:
# 10, 20, 30 deg come back as 1.1, -22.2, -28.5.
# Bites: yaw of a robot's attitude, right in tests that turn about one axis at a time through Quaternion, wrong through DCM.
# Do: go through Quaternion, or scipy's from_euler("ZYX", [yaw, pitch, roll]).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq ahrs==0.4.0 scipy==1.17.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import ahrs, numpy as np
from scipy.spatial.transform import Rotation

angles = np.radians([10, 20, 30])  # roll, pitch, yaw
truth = Rotation.from_euler("ZYX", angles[::-1])
def off_deg(matrix):
    return round(float(np.degrees((truth.inv() * Rotation.from_matrix(np.asarray(matrix))).magnitude())), 1)
quaternion, matrix = off_deg(ahrs.Quaternion(rpy=angles).to_DCM()), off_deg(ahrs.DCM(rpy=angles))
swapped = np.allclose(ahrs.DCM(rpy=angles), Rotation.from_euler("ZYX", angles).as_matrix())
back = np.degrees(ahrs.DCM(truth.as_matrix()).to_rpy()).round(1).tolist()
print("ahrs", version("ahrs"),
      "| guessed: both right, and [10, 20, 30] back | seen: Quaternion", quaternion, "deg off, DCM", matrix,
      "deg off (first angle about z:", swapped, "), back", back)
if not (quaternion == 0 and matrix > 5 and swapped and not np.allclose(back, [10, 20, 30], atol=1)):
    sys.exit("changed: roll, pitch and yaw mean the same in both now")
END
