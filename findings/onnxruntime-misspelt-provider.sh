#!/usr/bin/env bash
# Guess: InferenceSession(model, providers=["CUDAExecutionProvidr"]), a name that no build knows, raises.
# Instead: it prints, and returns a session on the CPU: far slower and otherwise well.
# Bites: one wrong letter in a configuration; a robot that "uses the GPU". Do: compare session.get_providers() with what was asked.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import onnxruntime as ort, sys, warnings
from onnx import TensorProto, helper

warnings.simplefilter("ignore")
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
session = ort.InferenceSession(model.SerializeToString(), providers=["CUDAExecutionProvidr"])
print("onnxruntime", version("onnxruntime"), "| guessed: an error | seen:", session.get_providers())
if session.get_providers() != ["CPUExecutionProvider"]: sys.exit("changed: an unknown provider no longer gives the CPU")
END
