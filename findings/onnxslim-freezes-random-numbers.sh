#!/usr/bin/env bash
# Guess: RandomNormal and a Dropout in training mode stay in a slimmed model: their outputs are no constants.
# Instead: onnxslim runs whatever has no variable input and keeps the result: one draw, the same at every call (onnxsim keeps the nodes).
# Bites: models that sample inside (Monte-Carlo dropout, random subsets of matches): spread 0, and other numbers in each slimmed file.
# Do: draw the numbers outside and feed them; compare two calls of the slimmed model.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnxslim==0.1.98 onnxsim==0.8.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np, onnxruntime as ort, onnxsim, onnxslim
from onnx import TensorProto, helper, numpy_helper

constants = {"ones": np.ones(64, np.float32), "half": np.float32(0.5), "training": np.array(True)}
nodes = {"RandomNormal": helper.make_node("RandomNormal", [], ["r"], shape=[64]),
         "Dropout": helper.make_node("Dropout", ["ones", "half", "training"], ["r"])}

def differs_by_call(model):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    first, second = (session.run(None, {"x": np.ones(64, np.float32)})[0] for _ in range(2))
    return bool((first != second).any())

seen = {}
for name, node in nodes.items():
    given = [numpy_helper.from_array(np.asarray(constants[key]), key) for key in node.input]
    ends = [[helper.make_tensor_value_info(end, TensorProto.FLOAT, [64])] for end in "xy"]
    graph = helper.make_graph([node, helper.make_node("Mul", ["x", "r"], ["y"])], "g", *ends, given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    seen[name] = [differs_by_call(one) for one in (model, onnxsim.simplify(model)[0], onnxslim.slim(model))]
print("onnxslim", version("onnxslim"), "| guessed: True everywhere | seen, two calls differ [as made, onnxsim, onnxslim]:", seen)
if seen["RandomNormal"] != [True, True, False] or seen["Dropout"][0] is not True or seen["Dropout"][2]: sys.exit("changed: another set of random numbers is frozen now")
END
