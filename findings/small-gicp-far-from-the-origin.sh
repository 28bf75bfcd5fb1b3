#!/usr/bin/env bash
# Guess: align works in UTM metres as it does near the origin, if with less precision.
# Instead: voxel coordinates have 21 bits. Beyond 262 km at a resolution of 0.25 m every point falls into one voxel, the cloud is
# thinned to a single point and the answer is converged = True with a wrong shift (a warning goes to the terminal).
# Bites: map clouds in UTM or ECEF. Do: subtract a local origin first.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq small-gicp==1.0.1 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, os, small_gicp, sys

points = np.random.default_rng(0).uniform(-5, 5, size=(3000, 3))
points[:, 2] = np.sin(points[:, 0]) * np.cos(points[:, 1])
shift, seen = np.array([0.1, 0.05, 0.0]), []
terminal = os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # one warning a point
for origin in 0.0, 465270.0:
    result = small_gicp.align(points + origin, points + origin - shift, downsampling_resolution=0.25, num_threads=1)
    left = small_gicp.voxelgrid_sampling(points + origin, 0.25).size()
    seen.append((left, result.converged, float(np.abs(result.T_target_source[:3, 3] - shift).max().round(3))))
os.dup2(terminal, 2)
print("small-gicp", version("small-gicp"), "| guessed: the same twice | seen (points left, converged, error in m): near", seen[0], "far", seen[1])
if seen[0][0] < 1000 or seen[0][2] > 0.01 or seen[1][0] != 1 or not seen[1][1]: sys.exit("changed: clouds far from the origin are treated differently now")
END
