#!/usr/bin/env bash
# Guess: red, green and blue of a PLY as floats between 0 and 1, as Open3D itself holds them, are read as they are.
# Instead: they are divided by 255 like bytes: white is 0.004, black to the eye. 16-bit ones come out as 257.
# Bites: clouds of programs that write floats. Do: multiply colors by 255 after reading, or convert the file; trimesh minds the type.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq open3d-cpu==0.20.0 numpy==2.4.6 trimesh==5.2.0
v/bin/python - << 'END'
import sys
import numpy as np, open3d as o3d, trimesh

seen = {}
for kind, white in (("uchar", 255), ("float", 1.0), ("ushort", 65535)):
    with open("cloud.ply", "w") as file:
        file.write("ply\nformat ascii 1.0\nelement vertex 1\n" + "".join(f"property float {axis}\n" for axis in "xyz")
                   + "".join(f"property {kind} {name}\n" for name in ("red", "green", "blue")) + f"end_header\n1 2 3 {white} {white} {white}\n")
    seen[kind] = round(float(np.asarray(o3d.io.read_point_cloud("cloud.ply").colors)[0, 0]), 4), int(trimesh.load("cloud.ply").colors[0, 0])
print("open3d", o3d.__version__, "trimesh", trimesh.__version__, "| guessed: 1 and 255 for each | seen:", seen)
if seen != {"uchar": (1, 255), "float": (0.0039, 255), "ushort": (257, 255)}: sys.exit("changed: colours are scaled by their type now")
END
