#!/usr/bin/env bash
# Guess: readG2o(file) of a file of SE3 poses reads them, or says that it expects planar ones.
# Instead: without the second argument is3D=True the lines are passed over: no pose, no edge, no word.
# Bites: a pose graph that was optimized "without error", in no time. Do: pass True, and count what was read.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq gtsam==4.3.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import gtsam

with open("walk.g2o", "w") as file:
    file.write("VERTEX_SE3:QUAT 0 0 0 0 0 0 0 1\nVERTEX_SE3:QUAT 1 1 0 0 0 0 0 1\n"
               "EDGE_SE3:QUAT 0 1 1 0 0 0 0 0 1 1 0 0 0 0 0 1 0 0 0 0 1 0 0 0 4 0 0 4 0 4\n")
seen = [(values.size(), graph.size()) for graph, values in (gtsam.readG2o("walk.g2o"), gtsam.readG2o("walk.g2o", True))]
print("gtsam", version("gtsam"), "| guessed: (2, 1) twice, or an error | seen (poses, edges):", seen[0], "with is3D:", seen[1])
if seen != [(0, 0), (2, 1)]: sys.exit("changed: the file is read, or refused, without is3D now")
END
