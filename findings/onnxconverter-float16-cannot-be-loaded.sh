#!/usr/bin/env bash
# Guess: convert_float_to_float16 of onnxconverter-common turns a valid model into a valid one.
# Instead: a Cast to float, a Constant with value_float, and a ConstantOfShape with its default stay in single precision while what
# follows is in half: ONNX Runtime refuses to load the result (Type Error), and the conversion itself says nothing.
# Bites: nearly every image model: uint8 in, Cast, divide by 255. Do: onnxruntime.transformers.float16, which has the same function and
# handles Cast and ConstantOfShape; keep constants as tensors; and load the file where it is made.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnxconverter-common==1.16.0 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxconverter_common import float16 as common
from onnxruntime.transformers import float16 as transformers

node, two, shape = helper.make_node, np.array([2], np.float32), np.array([3])
models = {"Cast": (TensorProto.UINT8, {"two": two}, [node("Cast", ["x"], ["c"], "first", to=TensorProto.FLOAT), node("Div", ["c", "two"], ["y"], "last")]),
          "Constant": (TensorProto.FLOAT, {}, [node("Constant", [], ["c"], "first", value_float=2.0), node("Div", ["x", "c"], ["y"], "last")]),
          "ConstantOfShape": (TensorProto.FLOAT, {"n": shape}, [node("ConstantOfShape", ["n"], ["c"], "first"), node("Add", ["x", "c"], ["y"], "last")]),
          "initializer": (TensorProto.FLOAT, {"two": two}, [node("Div", ["x", "two"], ["y"], "last")])}
ort.set_default_logger_severity(4)

def loads(model):
    try: return bool(ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]))
    except Exception as error: return "Type Error" not in str(error)

seen = {}
for name, (kind, constants, nodes) in models.items():
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", kind, [3])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    seen[name] = [loads(model)] + [loads(by.convert_float_to_float16(model, keep_io_types=True)) for by in (common, transformers)]
print("onnxconverter-common", version("onnxconverter-common"), "| guessed: True everywhere | seen, loads [as made, converted, by onnxruntime]:", seen)
if seen != {"Cast": [True, False, True], "Constant": [True, False, False], "ConstantOfShape": [True, False, True], "initializer": [True] * 3}:
    sys.exit("changed: another set of converted models loads now")
END
