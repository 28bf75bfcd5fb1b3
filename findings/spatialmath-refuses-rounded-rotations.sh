#!/usr/bin/env bash
# Guess: SO3(R) takes a rotation matrix that was rounded to twelve decimals, and says what is wrong with one that it refuses.
# Instead: the tolerance is some twenty units of the last place of a double. Matrices read from text or kept in float32 raise
# "bad argument to constructor".
# Bites: any pose from a file, a message in float32 or a network. Do: SO3(R, check=False), or trnorm(R) where it matters.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq spatialmath-python==1.1.18 scipy==1.17.1 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys
from scipy.spatial.transform import Rotation
from spatialmath import SO3

matrix = Rotation.from_rotvec([0.3, -0.5, 0.8]).as_matrix()

def outcome(candidate):
    try:
        return str(SO3(candidate).R.shape)
    except ValueError as error:
        return str(error)

seen = outcome(matrix), outcome(matrix.round(12)), outcome(matrix.astype(np.float32))
print("spatialmath-python", version("spatialmath-python"), "| guessed: all three taken | seen: exact", seen[0], "| 12 decimals:", seen[1], "| float32:", seen[2])
if seen != ("(3, 3)", "bad argument to constructor", "bad argument to constructor"): sys.exit("changed: the tolerance is another one now")
END
