#!/usr/bin/env bash
# Guess: Gf.Rotation times Gf.Rotation and Gf.Quatd times Gf.Quatd of the same two turns are one rotation, in one order.
# Instead: rotations (and matrices, which act on rows) apply the LEFT factor first, quaternions the right one. And what numpy makes of a
# Gf.Matrix3d or Matrix4d is the transpose of what everyone else writes: the translation is the last row.
# Bites: camera poses out of simulators and scanner apps that write USD; each turn by itself is right, a chain is not.
# Do: stay with one kind, and transpose on the way to numpy.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq usd-core==26.11 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np
from pxr import Gf

about_x, about_z, y = Gf.Rotation(Gf.Vec3d(1, 0, 0), 90), Gf.Rotation(Gf.Vec3d(0, 0, 1), 90), Gf.Vec3d(0, 1, 0)
seen = {
    "Rotation": (about_x * about_z).TransformDir(y),
    "Matrix4d": (Gf.Matrix4d().SetRotate(about_x) * Gf.Matrix4d().SetRotate(about_z)).TransformDir(y),
    "Quatd": (about_x.GetQuat() * about_z.GetQuat()).Transform(y),
    "numpy": np.array(Gf.Matrix3d(about_x)) @ np.array(Gf.Matrix3d(about_z)) @ y,
}
seen = {name: (np.round(vector) + 0.0).tolist() for name, vector in seen.items()}
shift = np.array(Gf.Matrix4d().SetTranslate(Gf.Vec3d(1, 2, 3)))
print("usd-core", version("usd-core"), "| guessed: x * z takes y to one place | seen:", seen, "last row of a translation:", shift[3].tolist())
if seen != {"Rotation": [0, 0, 1], "Matrix4d": [0, 0, 1], "Quatd": [-1, 0, 0], "numpy": [1, 0, 0]} or shift[3, 0] != 1:
    sys.exit("changed: the order of factors is another one now")
END
