#!/usr/bin/env bash
# Guess: trimesh, whose vertices are double, writes a PLY with doubles (the format has them, and trimesh reads them).
# Instead: float32 always: a cloud read without loss and exported again has moved by up to a quarter metre at UTM northings.
# Bites: maps in UTM or ECEF: flat walls become steps, colours stay right, and the file looks fine near its origin.
# Do: subtract a local origin before export, or write with plyfile.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq trimesh==5.2.0 plyfile==1.1.5 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, plyfile, trimesh

truth = np.random.default_rng(0).random((100, 3)) + [500_000, 5_000_000, 300]
rows = np.zeros(100, [(axis, "f8") for axis in "xyz"])
for axis, column in zip("xyz", truth.T): rows[axis] = column
plyfile.PlyData([plyfile.PlyElement.describe(rows, "vertex")]).write("in.ply")
cloud = trimesh.load("in.ply")
cloud.export("out.ply")
vertex = plyfile.PlyData.read("out.ply")["vertex"]
written = np.column_stack([vertex[axis] for axis in "xyz"]).astype(float)
seen = (cloud.vertices.dtype.name, float(np.abs(cloud.vertices - truth).max()),
        vertex["x"].dtype.name, float(np.abs(written - truth).max()))
print("trimesh", trimesh.__version__, "| guessed: float64, 0 m, twice | seen: read %s, %g m off; written %s, %.2f m off" % seen)
if not (seen[:3] == ("float64", 0.0, "float32") and seen[3] > 0.1): sys.exit("changed: trimesh writes another precision now")
END
