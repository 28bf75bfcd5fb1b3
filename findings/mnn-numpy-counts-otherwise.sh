#!/usr/bin/env bash
# Guess: MNN.numpy, which is offered as a replacement for numpy, divides, rounds and takes maxima as numpy does, or raises.
# Instead: integers divided by an integer are cut to integers, halves are rounded up, NaN is passed over by max, and int64 is int32.
# Bites: (points - centre) / 2 of integer pixels, and nanosecond stamps. Do: floats before a division, stamps outside.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq MNN==3.6.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import MNN.numpy as mnp, numpy as np

def tried(library):
    results = (library.array([1, 3]) / 2, library.round(library.array([0.5, 2.5])), library.max(library.array([1.0, float("nan"), 3.0])), library.array(np.array([2**40])))
    return [np.array(result.read() if hasattr(result, "read") else result).tolist() for result in results]

wanted, seen = tried(np), tried(mnp)
wanted[2] = str(wanted[2])
print("MNN", version("MNN"), "| guessed:", wanted, "| seen:", seen)
if wanted != [[0.5, 1.5], [0, 2], "nan", [2**40]] or seen != [[0, 1], [1, 3], 3, [0]]: sys.exit("changed: MNN.numpy counts otherwise now")
END
