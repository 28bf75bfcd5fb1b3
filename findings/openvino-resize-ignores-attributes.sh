#!/usr/bin/env bash
# Guess: an ONNX Resize with antialias=1 (torch's interpolate(antialias=True)) or exclude_outside=1 is computed so, or refused.
# Instead: OpenVINO reads the model without a word and computes it without. ONNX Runtime does as asked.
# Bites: a network that shrinks its own input: thin structure aliases, and keypoints move only on this engine.
# Do: shrink the image outside the model.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, onnxruntime as ort, openvino as ov, sys
from onnx import TensorProto, helper, numpy_helper

image = np.random.default_rng(0).normal(size=(1, 1, 6, 8)).astype(np.float32)

def outputs(**attributes):
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, image.shape)
    size = numpy_helper.from_array(np.array([1, 1, 3, 4]), "size")
    graph = helper.make_graph([helper.make_node("Resize", ["x", "", "", "size"], ["y"], **attributes)], "g", [info],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 3, 4])], [size])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
    compiled = ov.compile_model(ov.Core().read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": image})[0], compiled(image)[0].copy()

plain, smooth = outputs(mode="linear"), outputs(mode="linear", antialias=1)
inside, cubic = outputs(mode="cubic", exclude_outside=1), outputs(mode="cubic")
effect = [[float(np.abs(a - b).max().round(3)) for a, b in zip(*pair)] for pair in ((plain, smooth), (cubic, inside))]
print("openvino", version("openvino"), "| guessed: both attributes change the result | seen: change by antialias, exclude_outside:")
print("  onnxruntime", effect[0][0], effect[1][0], "| openvino", effect[0][1], effect[1][1])
if min(effect[0][0], effect[1][0]) < 0.01 or max(effect[0][1], effect[1][1]) > 0: sys.exit("changed: one of the attributes is treated differently now")
END
