#!/usr/bin/env bash
# Guess: an Index filled with float32 vectors compares float32 vectors.
# Instead: without dtype= they are kept in 16 bits: of three places in UTM, 20 and 200 m apart, all lie at distance 0, and the first one
# found is not the nearest.
# Bites: the images nearest to a position; descriptors that differ little. Do: pass dtype="f32".
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq usearch==2.26.6 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np
from usearch.index import Index

places = np.array([[456000, 5427000], [456020, 5427000], [456200, 5427000]], np.float32)
seen = {}
for options in ({}, {"dtype": "f32"}):
    index = Index(ndim=2, metric="l2sq", **options)
    index.add(np.arange(3), places)
    seen[options.get("dtype", "default")] = " ".join(f"{distance:.0f}" for distance in sorted(index.search(places[0], 3).distances))
print("usearch", version("usearch"), "| guessed squared distances: 0 400 40000 | seen:", seen)
if seen["default"] == seen["f32"] or seen["f32"] != "0 400 40000": sys.exit("changed: float32 vectors are kept as they are now")
END
