#!/usr/bin/env bash
# Guess: meshio.read of a valid PLY with an element besides vertices and faces (MeshLab writes "camera") skips it, or raises ReadError.
# Instead: SystemExit: the program ends with status 1, past every "except Exception".
# Bites: one such file among many ends a whole conversion. Do: except SystemExit, or read the element's file with plyfile.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq meshio==5.3.5 plyfile==1.1.5 numpy==2.4.6
v/bin/python - << 'END'
import contextlib, io, sys
import meshio
from plyfile import PlyData

with open("scan.ply", "w") as file:
    file.write("ply\nformat ascii 1.0\nelement vertex 2\n" + "".join(f"property float {axis}\n" for axis in "xyz")
               + "element camera 1\nproperty float view_px\nend_header\n1 2 3\n4 5 6\n7\n")
try:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()): seen = len(meshio.read("scan.ply").points)
except BaseException as error: seen = f"{type(error).__name__}: {error}"
print("meshio", meshio.__version__, "| guessed: 2 points, or ReadError | seen:", seen, "| plyfile:", len(PlyData.read("scan.ply")["vertex"].data), "points")
if seen != "SystemExit: 1": sys.exit("changed: such a file is read, or refused with an exception, now")
END
