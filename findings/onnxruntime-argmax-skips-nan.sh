#!/usr/bin/env bash
# Guess: ReduceMax and ArgMax treat NaN as numpy and ONNX's own reference do: it is the maximum and shows.
# Instead: both skip it (Max of two inputs does not): of [1, NaN, 3, 2] the maximum is 3, at 2.
# Bites: a heatmap with NaN (a broken fp16 layer) still has a peak with a fine score. Do: reject maps with NaN outside the model.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, onnxruntime as ort, sys
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
outputs = [helper.make_tensor_value_info("best", TensorProto.FLOAT, [1]), helper.make_tensor_value_info("where", TensorProto.INT64, [1]),
    helper.make_tensor_value_info("larger", TensorProto.FLOAT, [4])]
nodes = [helper.make_node("ReduceMax", ["x"], ["best"]), helper.make_node("ArgMax", ["x"], ["where"], axis=0), helper.make_node("Max", ["x", "x"], ["larger"])]
model = helper.make_model(helper.make_graph(nodes, "peak", [x], outputs), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
feed = {"x": np.array([1, np.nan, 3, 2], np.float32)}
seen = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)
reference = ReferenceEvaluator(model).run(None, feed)
print("onnxruntime", version("onnxruntime"), "| guessed: nan at 1 | seen:", seen[0], "at", seen[1], "| Max:", seen[2], "| reference:", reference[0], "at", reference[1])
if (seen[0][0], seen[1][0], reference[1][0]) != (3, 2, 1) or not np.isnan(seen[2][1]): sys.exit("changed: NaN is treated differently now")
END
