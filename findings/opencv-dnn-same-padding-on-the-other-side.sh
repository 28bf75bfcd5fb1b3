#!/usr/bin/env bash
# Guess: an ONNX model gives the same picture in OpenCV's dnn as in ONNX Runtime, or is refused.
# Instead: auto_pad=SAME_LOWER of a Conv is computed as SAME_UPPER, without a word.
# Bites: even kernels, or strides: every heatmap is shifted by a pixel of that layer, which its stride multiplies.
# Do: export explicit pads, and compare one image between the engines before trusting keypoints.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

x = np.random.default_rng(0).normal(size=(1, 1, 6, 8)).astype("f4")

def outputs(auto_pad):
    node = helper.make_node("Conv", ["x", "kernel"], ["y"], auto_pad=auto_pad)
    graph = helper.make_graph([node], "layer", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, x.shape)], [numpy_helper.from_array(np.ones((1, 1, 2, 2), "f4"), "kernel")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    network.setInput(x)
    return network.forward(), ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]

upper, lower = outputs("SAME_UPPER"), outputs("SAME_LOWER")
seen = [bool(np.allclose(*pair, atol=1e-4)) for pair in (upper, lower, (lower[0], upper[0]))]
print("opencv", cv2.__version__, "| guessed: True, True, False | seen: SAME_UPPER as in ONNX Runtime", seen[0], "SAME_LOWER", seen[1],
      "the two alike in OpenCV", seen[2])
if seen != [True, False, True]: sys.exit("changed: OpenCV pads differently now")
END
