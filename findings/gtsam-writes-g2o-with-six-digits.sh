#!/usr/bin/env bash
# Guess: writeG2o keeps poses to a millimetre, so that readG2o gives the graph back.
# Instead: six significant digits: UTM's northing 5000123.4 is written as 5.00012e+06, 3.4 m off, and information matrices are rounded too.
# Bites: georeferenced pose graphs handed to g2o or Ceres, and loops closed by a second run. Do: subtract a local origin first, or
# write the lines with Python.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq gtsam==4.3.0 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import gtsam, numpy as np, sys

here = np.array([500123.4, 5000123.4, 300.123456])
values = gtsam.Values()
values.insert(0, gtsam.Pose3(gtsam.Rot3.Yaw(0.123456789), here))
gtsam.writeG2o(gtsam.NonlinearFactorGraph(), values, "graph.g2o")
pose = gtsam.readG2o("graph.g2o", True)[1].atPose3(0)
seen = np.abs(pose.translation() - here).round(3).tolist()
print("gtsam", version("gtsam"), "| guessed: 0 0 0 m off | seen:", seen, "|", open("graph.g2o").read().strip())
if seen != [0.4, 3.4, 0.0]: sys.exit("changed: poses are written with other digits now")
END
