#!/usr/bin/env bash
# Guess: Add and Sub of uint8 tensors give the same with both engines; as the type is numpy's, they wrap.
# Instead: 250 + 10 is 4 with ONNX Runtime and 255 with OpenVINO; 3 - 10 is 249 and 0.
# Bites: preprocessing put into the model on uint8 (a brightness offset, a difference of frames). Do: Cast to float first.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, onnxruntime as ort, openvino as ov, sys
from onnx import TensorProto, helper

names = "a", "b", "sum", "difference"
a, b, total, difference = (helper.make_tensor_value_info(name, TensorProto.UINT8, [2]) for name in names)
nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])]
model = helper.make_model(helper.make_graph(nodes, "g", [a, b], [total, difference]), opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
feed = {"a": np.array([250, 3], np.uint8), "b": np.array([10, 10], np.uint8)}
by_ort = [value.tolist() for value in ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, feed)]
by_openvino = [value.tolist() for value in ov.compile_model(ov.Core().read_model(model), "CPU")(feed).values()]
print("openvino", version("openvino"), "onnxruntime", version("onnxruntime"), "| guessed: the same | seen: sum, difference", by_ort, "and", by_openvino)
if by_ort != [[4, 13], [240, 249]] or by_openvino != [[255, 13], [240, 0]]: sys.exit("changed: one of the two treats overflow differently now")
END
