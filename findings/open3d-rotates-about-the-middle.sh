#!/usr/bin/env bash
# Guess: cloud.rotate(R).translate(t) is cloud.transform of R and t.
# Instead: rotate turns about the cloud's own middle, unless center= is passed; the point that was in the origin is elsewhere.
# Bites: poses applied in two steps: every cloud is off by (R - 1) times its middle, so they part the more the farther they lie.
# Do: pass center=(0, 0, 0), or use transform.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq open3d-cpu==0.20.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, open3d as o3d

matrix = np.array([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])

def cloud(): return o3d.geometry.PointCloud(o3d.utility.Vector3dVector([[0.0, 0, 0], [20, 0, 0]]))

def first(moved): return np.asarray(moved.points)[0].round(6).tolist()

seen = (first(cloud().transform(matrix)), first(cloud().rotate(matrix[:3, :3]).translate(matrix[:3, 3])),
        first(cloud().rotate(matrix[:3, :3], center=(0, 0, 0)).translate(matrix[:3, 3])))
print("open3d", o3d.__version__, "| guessed: 1 2 3 each | seen by transform:", seen[0], "by rotate and translate:", seen[1], "with center=:", seen[2])
if seen != ([1, 2, 3], [11, -8, 3], [1, 2, 3]): sys.exit("changed: clouds are turned about another point now")
END
