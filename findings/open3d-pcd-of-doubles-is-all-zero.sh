#!/usr/bin/env bash
# Guess: a binary PCD with x, y, z in doubles (SIZE 8, TYPE F) is read in doubles, or refused.
# Instead: the right number of points comes back, all at 0, 0, 0, without a word; the same file in ASCII is read.
# Bites: clouds in UTM, which are in doubles for good reason. Do: open3d.t.io.read_point_cloud, or subtract an offset and write floats.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq open3d-cpu==0.20.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, open3d as o3d

points = np.array([[1.5, 2.5, 3.5], [500000.25, 5000000.25, 300]])
head = ("VERSION 0.7\nFIELDS x y z\nSIZE {0} {0} {0}\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\nDATA {1}\n")

def read(size, data, reader=lambda name: np.asarray(o3d.io.read_point_cloud(name).points)):
    body = "".join(" ".join(map(str, point)) + "\n" for point in points).encode() if data == "ascii" else points.astype(f"<f{size}").tobytes()
    with open("cloud.pcd", "wb") as file: file.write(head.format(size, data).encode() + body)
    return reader("cloud.pcd")[0].tolist()

seen = {"double": read(8, "binary"), "float": read(4, "binary"), "double in ASCII": read(8, "ascii"),
        "double by t.io": read(8, "binary", lambda name: o3d.t.io.read_point_cloud(name).point.positions.numpy())}
print("open3d", o3d.__version__, "| guessed: 1.5 2.5 3.5 | seen:", seen)
if seen["double"] != [0, 0, 0] or seen["float"] != [1.5, 2.5, 3.5]: sys.exit("changed: doubles are read, or refused, now")
END
