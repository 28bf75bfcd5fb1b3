#!/usr/bin/env bash
# Guess: onnx's ReferenceEvaluator is the measure for other engines: LogSoftmax of [10000, 0] is [0, -10000].
# Instead: it takes the logarithm of the finished softmax and gives -inf (any difference over 104 does); ONNX Runtime is right.
# Bites: a test of an export against the reference fails, or infinities are taken for the model's. Do: compare with the
# framework that trained the model.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, onnxruntime as ort, sys, warnings
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

warnings.simplefilter("ignore")
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
graph = helper.make_graph([helper.make_node("LogSoftmax", ["x"], ["y"])], "scores", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
feed = {"x": np.array([10000, 0], np.float32)}
seen = ReferenceEvaluator(model).run(None, feed)[0]
other = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)[0]
print("onnx", version("onnx"), "| guessed: [0, -10000] | seen:", seen, "| onnxruntime", version("onnxruntime"), other)
if not np.isneginf(seen[1]) or other[1] != -10000: sys.exit("changed: the reference computes LogSoftmax differently now")
END
