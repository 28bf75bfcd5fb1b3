#!/usr/bin/env bash
# Guess: with ceil_mode=1 the output of MaxPool has one size, whichever engine runs the model.
# Instead: where the last window would lie in the padding alone, ONNX Runtime, the reference and PyTorch leave it out, OpenVINO keeps it
# (for AveragePool it leaves it out too). onnx's shape inference sides with OpenVINO below opset 22.
# Bites: a feature map of another size: heat-map cells are counted off, or a later Concat fails on one engine only.
# Do: compare the output shapes of both engines for the sizes in use; ceil_mode=False and an explicit Pad are the same everywhere.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, onnxruntime as ort, openvino as ov, sys
from onnx import TensorProto, helper, shape_inference
from onnx.reference import ReferenceEvaluator

ort.set_default_logger_severity(3)
image = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)

def sizes(operator, opset):
    node = helper.make_node(operator, ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], pads=[1] * 4, ceil_mode=1)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, image.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    by_ort = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": image})[0]
    reference = ReferenceEvaluator(model).run(None, {"x": image})[0]
    by_ov = ov.compile_model(ov.Core().read_model(model.SerializeToString()), "CPU")(image)[0]
    inferred = shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape.dim[2].dim_value
    return [by_ort.shape[2], reference.shape[2], by_ov.shape[2], inferred]

seen = {(operator, opset): sizes(operator, opset) for operator in ("MaxPool", "AveragePool") for opset in (19, 22)}
print("openvino", version("openvino"), "| guessed: 3 everywhere | seen [onnxruntime, reference, openvino, inferred]:", seen)
if seen != {("MaxPool", 19): [3, 3, 4, 4], ("MaxPool", 22): [3, 3, 4, 3], ("AveragePool", 19): [3, 3, 3, 4], ("AveragePool", 22): [3, 3, 3, 3]}:
    sys.exit("changed: sizes are another now")
END
