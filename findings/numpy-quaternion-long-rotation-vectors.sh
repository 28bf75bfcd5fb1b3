#!/usr/bin/env bash
# Guess: as_rotation_vector(from_rotation_matrix(R)) is the rotation vector of R, at most pi long.
# Instead: from_rotation_matrix often returns the quaternion with negative w, and as_rotation_vector does not mind the sign: a
# turn of 0.99 rad becomes one of 5.29 rad the other way round. quaternionic, of the same author, does the same.
# Bites: rotation errors in degrees (303 instead of 57), and averages of rotation vectors. Do: negate q where q.w < 0 first.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq numpy-quaternion==2024.0.13 quaternionic==1.0.18 scipy==1.17.1 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, quaternion, quaternionic, sys
from scipy.spatial.transform import Rotation

vector = np.array([0.3, -0.5, 0.8])
matrix = Rotation.from_rotvec(vector).as_matrix()
first = quaternion.as_rotation_vector(quaternion.from_rotation_matrix(matrix))
second = np.asarray(quaternionic.array.from_rotation_matrix(matrix).to_rotation_vector)
print("numpy-quaternion", version("numpy-quaternion"), "quaternionic", version("quaternionic"))
print("guessed: a vector", np.linalg.norm(vector).round(2), "long | seen:", np.linalg.norm(first).round(2), np.linalg.norm(second).round(2))
longer = 2 * np.pi - np.linalg.norm(vector)
if not np.allclose([np.linalg.norm(first), np.linalg.norm(second)], longer): sys.exit("changed: rotation vectors are of another length now")
END
