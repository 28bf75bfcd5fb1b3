#!/usr/bin/env bash
# Guess: an array of dtype >f4 is refused, as float64 is, or its bytes are swapped.
# Instead: it is taken for float32 and its bytes are read the wrong way round: 1.0 arrives as 4.6e-41.
# Bites: depth from a big-endian message or a PFM or FITS file viewed with its own dtype and fed without a copy.
# Do: np.ascontiguousarray(image, np.float32) before run.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, onnxruntime as ort, sys
from onnx import TensorProto, helper

x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
(seen,) = session.run(None, {"x": np.array([1.0, 2.0], ">f4")})
print("onnxruntime", version("onnxruntime"), "| guessed: [1, 2] or an error | seen:", seen)
if seen.max() > 1e-30: sys.exit("changed: big-endian input is treated differently now")
END
