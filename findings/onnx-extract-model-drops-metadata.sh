#!/usr/bin/env bash
# Guess: onnx.utils.extract_model cuts a model at other outputs and keeps what describes it: metadata_props and producer.
# Instead: both are dropped. Shape inference, version conversion and ONNX Runtime's quantization keep metadata_props.
# Bites: the preprocessing or class names that a bundle keeps in the model are gone after the head is cut off.
# Do: copy metadata_props by hand, or keep them in a file beside.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnx==1.23.2
v/bin/python - << 'END'
from importlib.metadata import version
import onnx, sys
from onnx import TensorProto, helper, shape_inference

x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
nodes = [helper.make_node("Relu", ["x"], ["middle"]), helper.make_node("Neg", ["middle"], ["y"])]
model = helper.make_model(helper.make_graph(nodes, "two", [x], [y]), opset_imports=[helper.make_opsetid("", 18)], ir_version=10, producer_name="trainer")
helper.set_model_props(model, {"mean": "127"})
onnx.save(model, "whole.onnx")
onnx.utils.extract_model("whole.onnx", "part.onnx", ["x"], ["middle"])

def description(m):
    return {entry.key: entry.value for entry in m.metadata_props}, m.producer_name

seen = description(onnx.load("part.onnx"))
print("onnx", version("onnx"), "| guessed:", description(model), "| seen:", seen, "| after shape inference:", description(shape_inference.infer_shapes(model)))
if seen[0] or seen[1] == "trainer" or not description(shape_inference.infer_shapes(model))[0]: sys.exit("changed: another step keeps or drops metadata now")
END
