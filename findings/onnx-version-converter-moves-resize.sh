#!/usr/bin/env bash
# Guess: version_converter gives a model that computes the same, or refuses.
# Instead: Resize of opset 10, and Upsample of 9, count from the corner pixel's middle (asymmetric); converted to 11 or later they get
# the new default, half_pixel: every value is another, up to half a pixel of the input away. With nearest it shows at odd scales only.
# Bites: old heatmap and segmentation networks brought up to date: everything lies a little off.
# Do: set coordinate_transformation_mode="asymmetric" (and nearest_mode="floor") on the nodes afterwards; compare outputs.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter

image = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)

def run(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0].ravel().round(2).tolist()

def seen(operator, opset):
    scales = numpy_helper.from_array(np.array([1, 1, 1, 2], np.float32), "scales")
    graph = helper.make_graph([helper.make_node(operator, ["image", "scales"], ["out"], mode="linear")], "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image.shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)], [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return run(model), run(version_converter.convert_version(model, 13))

for operator, opset in (("Resize", 10), ("Upsample", 9)):
    before, after = seen(operator, opset)
    print("onnx", onnx.__version__, operator, "| guessed:", before, "| seen after conversion:", after)
    if before[1] != 0.5 or after[1] != 0.25: sys.exit("changed: the conversion keeps, or refuses, it now")
END
