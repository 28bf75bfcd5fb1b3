#!/usr/bin/env bash
# Guess: triangulate_point of two rays that part in front of the cameras is None, as for parallel ones, and as triangulate_mid_point has it.
# Instead: the point where they meet backwards, 2 m behind both cameras.
# Bites: wrong matches become points; their reprojection error is zero. Do: check z in both cameras, or use estimate_triangulation.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap

second = pycolmap.Rigid3d(pycolmap.Rotation3d(), [-1, 0, 0])
seen = [pycolmap.triangulate_point(np.eye(3, 4), second.matrix(), [0, 0], [x, 0]) for x in (-0.5, 0.5, 0)]
mid = pycolmap.triangulate_mid_point(second, [0, 0, 1], [0.5, 0, 1])
seen = [None if point is None else round(float(point[2]), 3) for point in seen]
print("pycolmap", pycolmap.__version__, "| guessed depths: 2, None, None | seen for rays that meet, part, are parallel:", *seen,
      "| triangulate_mid_point of those that part:", mid)
if seen != [2.0, -2.0, None] or mid is not None: sys.exit("changed: points behind the cameras are treated differently now")
END
