#!/usr/bin/env bash
# Guess: associate_trajectories pairs each pose at most once: 4 reference poses give at most 4 pairs.
# Instead: the shorter LIST is walked and takes the nearest of the other, taken or not. A reference of more poses over a
# longer time, at a lower rate, is "longer": its poses are paired again and again, up to max_diff away.
# Bites: a motion-capture or GNSS log that runs on after the robot: the error's mean weighs poses by how often they are hit.
# Do: keep max_diff below half the slower period, or cut both to the common time first; check that stamps are unique.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq evo==1.38.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np
from evo.core import sync
from evo.core.trajectory import PoseTrajectory3D

def trajectory(stamps):
    return PoseTrajectory3D(np.outer(stamps, [1, 0, 0]), np.tile([1.0, 0, 0, 0], (len(stamps), 1)), stamps)

slow, fast = trajectory(np.arange(20) * 0.5), trajectory(np.arange(20) * 0.1)  # 0 to 9.5 s and 0 to 1.9 s
reference, estimate = sync.associate_trajectories(slow, fast, max_diff=0.3)
stamps, times = np.unique(reference.timestamps, return_counts=True)
print("evo", version("evo"), "| guessed: 5 pairs, each stamp once | seen:", reference.num_poses, "pairs;",
      "reference stamps", stamps.tolist(), "used", times.tolist())
if not (reference.num_poses == 20 and times.max() >= 5): sys.exit("changed: poses are paired once now")
END
