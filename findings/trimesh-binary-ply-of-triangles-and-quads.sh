#!/usr/bin/env bash
# Guess: a PLY whose faces are triangles and quads is one mesh, in ASCII and in binary.
# Instead: in ASCII the quads are split; the same faces in binary raise "PLY is unexpected length!": the length of the first
# face is taken for all.
# Bites: floor plans and CAD meshes from Blender or MeshLab, whose binary export (the default) mixes both: the sentence says
# that the file is damaged.
# Do: triangulate on export, or read such files with plyfile.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq trimesh==5.2.0 plyfile==1.1.5 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, plyfile, trimesh

corners = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 2, 2)], [(axis, "f4") for axis in "xyz"])
faces = np.empty(2, [("vertex_indices", "O")])
faces["vertex_indices"] = [np.array([0, 1, 4], "i4"), np.array([0, 1, 2, 3], "i4")]
elements = [plyfile.PlyElement.describe(corners, "vertex"), plyfile.PlyElement.describe(faces, "face")]
seen = {}
for text in (True, False):
    plyfile.PlyData(elements, text=text).write("mesh.ply")
    try: seen[text] = len(trimesh.load("mesh.ply").faces)
    except ValueError as error: seen[text] = str(error)
    again = [len(face) for face in plyfile.PlyData.read("mesh.ply")["face"]["vertex_indices"]]
    if again != [3, 4]: sys.exit("the file is not what it should be")
print("trimesh", trimesh.__version__, "| guessed: 3 triangles from both | seen: ASCII", seen[True], "binary", seen[False])
if seen != {True: 3, False: "PLY is unexpected length!"}: sys.exit("changed: mixed faces are read differently now")
END
