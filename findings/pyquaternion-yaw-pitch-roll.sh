#!/usr/bin/env bash
# Guess: yaw_pitch_roll gives the intrinsic z-y'-x'' angles that its documentation names, the ones of ROS and aircraft.
# Instead: it gives those of R = Rx(roll) Ry(pitch) Rz(yaw), the other order. Turns about one axis come out right, so a first
# test passes; yaw 30, pitch 20, roll 10 degrees comes back as 28.5, 22.2, -1.1.
# Bites: yaw of a tilted camera written to a 2D pose. Do: scipy's as_euler("ZYX").
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pyquaternion==0.9.9 scipy==1.17.1 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys
from pyquaternion import Quaternion
from scipy.spatial.transform import Rotation

turn = Quaternion(axis=[0, 0, 1], degrees=30) * Quaternion(axis=[0, 1, 0], degrees=20) * Quaternion(axis=[1, 0, 0], degrees=10)
seen = np.degrees(turn.yaw_pitch_roll)
by_scipy = Rotation.from_matrix(turn.rotation_matrix).as_euler("ZYX", degrees=True)
other_order = Rotation.from_matrix(turn.rotation_matrix).as_euler("zyx", degrees=True)
print("pyquaternion", version("pyquaternion"), "| guessed: 30 20 10 | seen:", seen.round(1), "| scipy ZYX:", by_scipy.round(1))
if not np.allclose(by_scipy, [30, 20, 10]) or not np.allclose(seen, other_order): sys.exit("changed: the angles are of another order now")
END
