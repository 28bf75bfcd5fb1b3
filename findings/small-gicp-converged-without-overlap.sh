#!/usr/bin/env bash
# Guess: two clouds a kilometre apart give converged = False.
# Instead: with not one pair of points there is nothing to move, so the step is zero and the answer is converged = True, the identity
# and an error of 0.0, by every method.
# Bites: a relocalization checked by ICP: a wrong first pose passes best of all. Do: require num_inliers as a share of the cloud.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq small-gicp==1.0.1 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, small_gicp, sys

points = np.random.default_rng(0).uniform(-5, 5, size=(3000, 3))
points[:, 2] = np.sin(points[:, 0]) * np.cos(points[:, 1])
seen = {}
for method in "ICP", "PLANE_ICP", "GICP", "VGICP":
    result = small_gicp.align(points, points + [1000, 0, 0], registration_type=method, downsampling_resolution=0.25, num_threads=1)
    seen[method] = result.converged, int(result.num_inliers), float(result.error)
print("small-gicp", version("small-gicp"), "| guessed: converged False | seen (converged, inliers, error):", seen)
if set(seen.values()) != {(True, 0, 0.0)}: sys.exit("changed: clouds without overlap no longer count as converged")
END
