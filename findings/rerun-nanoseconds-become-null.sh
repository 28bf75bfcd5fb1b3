#!/usr/bin/env bash
# Guess: TimeColumn(timestamp=...) takes ROS's nanoseconds, or refuses them in an array as it does in a list ("looks like
# milliseconds": it wants seconds).
# Instead: an int64 array is multiplied by 1e9 and overflows: every time is null, with a RuntimeWarning of numpy at most.
# Bites: poses of a bag sent in one go are all without time. Do: stamps.astype("datetime64[ns]").
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq rerun-sdk==0.41.0 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys, warnings
import rerun as rr

warnings.simplefilter("ignore")
stamps = np.array([1_700_000_000_123_456_789], np.int64)

def outcome(times):
    try:
        return str(rr.TimeColumn("stamp", timestamp=times).as_arrow_array()).strip("[]\n ")
    except ValueError as error:
        return type(error).__name__

seen = outcome(stamps), outcome(stamps.tolist()), outcome(stamps.astype("datetime64[ns]"))
print("rerun-sdk", version("rerun-sdk"), "| guessed: a time or an error | seen: array", seen[0], "| list", seen[1], "| datetime64", seen[2])
if seen != ("null", "ValueError", "2023-11-14 22:13:20.123456789"): sys.exit("changed: nanoseconds are treated differently now")
END
