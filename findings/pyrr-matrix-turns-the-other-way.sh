#!/usr/bin/env bash
# Guess: a Quaternion and the Matrix33 made of it turn a vector alike.
# Instead: opposite ways: the matrix is the one for columns, but Matrix33 * vector multiplies from the left as for rows.
# Bites: a camera's pose kept as a quaternion here and as a matrix there. Do: use numpy: np.array(matrix) @ vector agrees with the
# quaternion.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pyrr==0.10.3 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np
from pyrr import Matrix33, Quaternion, Vector3

quarter = Quaternion([0, 0, 0.5 ** 0.5, 0.5 ** 0.5]) # x, y, z, w: a quarter turn to the left about z
matrix, east = Matrix33(quarter), Vector3([1.0, 0, 0])
seen = [np.round(turned, 6).tolist() for turned in (quarter * east, matrix * east, np.array(matrix) @ east)]
print("pyrr", version("pyrr"), "| guessed: 0 1 0 three times | seen: quaternion", seen[0], "matrix", seen[1], "its numbers with numpy", seen[2])
if seen != [[0, 1, 0], [0, -1, 0], [0, 1, 0]]: sys.exit("changed: the two turn another way now")
END
