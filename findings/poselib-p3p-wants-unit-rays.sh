#!/usr/bin/env bash
# Guess: p3p and relpose_5pt take image points as (x, y, 1), in which a direction counts and not its length, as up2p and relpose_upright_3pt
# of the same package do; or they refuse what is not of length one.
# Instead: they count on unit length and look no further: from (x, y, 1) come poses that are metres and tens of degrees off, two of them as
# ever, without a word. Their documentation is the signature.
# Bites: a RANSAC of one's own around the fast solvers: it finds few inliers, and the matches look at fault.
# Do: divide each by its norm.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq poselib==2.0.5 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np, poselib

turn = np.array([[np.cos(0.3), 0, np.sin(0.3)], [0, 1, 0], [-np.sin(0.3), 0, np.cos(0.3)]])  # about y, as upright solvers want
points = np.random.default_rng(0).uniform(-2, 2, (6, 3)) + [0, 0, 6]
moved = points @ turn.T + [0.2, 0.1, 0.3]

def worst(poses):
    cosines = [(np.trace(pose.R.T @ turn) - 1) / 2 for pose in poses]
    return min((float(np.degrees(np.arccos(np.clip(c, -1, 1))).round(1)) for c in cosines if np.isfinite(c)), default=None)

seen = {}
for name, scale in (("unit", lambda rays: np.linalg.norm(rays, axis=1)), ("x, y, 1", lambda rays: rays[:, 2])):
    first, second = (list(rays / scale(rays)[:, None]) for rays in (points, moved))
    seen[name] = {"p3p": worst(poselib.p3p(second[:3], list(points[:3]))), "relpose_5pt": worst(poselib.relpose_5pt(first[:5], second[:5])),
                  "up2p": worst(poselib.up2p(second[:2], list(points[:2]))), "relpose_upright_3pt": worst(poselib.relpose_upright_3pt(first[:3], second[:3]))}
print("poselib", version("poselib"), "| guessed: the best pose is 0 deg off for both | seen, deg:", seen)
if set(seen["unit"].values()) != {0} or [seen["x, y, 1"][n] for n in ("up2p", "relpose_upright_3pt")] != [0, 0] or 0 in (
    seen["x, y, 1"]["p3p"], seen["x, y, 1"]["relpose_5pt"]): sys.exit("changed: the solvers normalise now")
END
