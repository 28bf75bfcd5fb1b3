#!/usr/bin/env bash
# Guess: a graph in double or int64 is computed so, or refused: its inputs and outputs keep their types.
# Instead: the CPU plugin computes in float32 and int32 between them. A northing minus its origin is 1.0 instead of 0.776, and
# 2**40 > 1 is false.
# Bites: geometry in UTM metres or stamps in nanoseconds inside a model. Do: subtract the origin outside the model.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, onnxruntime as ort, openvino as ov, sys
from onnx import TensorProto, helper

def both(operator, kind, out, a, b):
    inputs = [helper.make_tensor_value_info(name, kind, [1]) for name in "ab"]
    graph = helper.make_graph([helper.make_node(operator, ["a", "b"], ["y"])], "g", inputs, [helper.make_tensor_value_info("y", out, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
    feed = {"a": a, "b": b}
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, feed)[0][0], ov.compile_model(ov.Core().read_model(model), "CPU")(feed)[0][0]

metres = both("Sub", TensorProto.DOUBLE, TensorProto.DOUBLE, np.array([5246384.776]), np.array([5246384.0]))
larger = both("Greater", TensorProto.INT64, TensorProto.BOOL, np.array([2**40]), np.array([1]))
print("openvino", version("openvino"), "| guessed: 0.776 True | seen: onnxruntime %.3f %s | openvino %.3f %s" % (metres[0], larger[0], metres[1], larger[1]))
if abs(metres[0] - 0.776) > 1e-6 or abs(metres[1] - 0.776) < 0.01 or not larger[0] or larger[1]: sys.exit("changed: 64-bit tensors are computed differently now")
END
