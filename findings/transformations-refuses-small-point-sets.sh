#!/usr/bin/env bash
# Guess: superimposition_matrix fits two sets of ten exact points whatever their unit.
# Instead: a threshold inside is absolute, in units of length squared: coordinates within a centimetre (a marker in metres,
# a desk model in kilometres) raise ValueError "eigenvector_of_symmetric_44() failed"; in millimetres all is well.
# Bites: aligning a small object's map, or trajectories of centimetres: the data look at fault, and are not.
# Do: divide both sets by their spread first, or use affine_matrix_from_points(..., shear=False); usesvd=True changes nothing.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq transformations==2026.1.18 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, transformations
from importlib.metadata import version

def outcome(fit, points):
    try:
        return bool(np.allclose(fit(points, points + 1)[:3, :3], np.eye(3), atol=1e-6))
    except ValueError as error:
        return str(error)

points = np.random.default_rng(0).random((3, 10))
seen = {unit: outcome(transformations.superimposition_matrix, points * unit) for unit in (1.0, 1000.0, 0.01)}
affine = outcome(lambda a, b: transformations.affine_matrix_from_points(a, b, shear=False), points * 0.01)
print("transformations", version("transformations"),
      "| guessed: True at any scale | seen, by scale:", seen, "| affine_matrix_from_points:", affine)
if not (seen[1.0] is seen[1000.0] is affine is True and seen[0.01] == "eigenvector_of_symmetric_44() failed"):
    sys.exit("changed: small sets are fitted now")
END
