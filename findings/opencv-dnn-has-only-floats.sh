#!/usr/bin/env bash
# Guess: integers in an ONNX model are integers in OpenCV's dnn, or the model is refused.
# Instead: Cast to an integer type changes nothing, and Div of integers gives fractions: 7 / 2 is 3.5, 2.7 as int32 stays 2.7.
# Bites: networks that decode their own heatmap: row = index / width has decimals, and the keypoint is moved by up to a pixel.
# Do: decode outside the network, or put a Floor behind each Cast and Div.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

def outputs(node, x, kind, constants=()):
    element = helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = helper.make_graph([node], "layer", [helper.make_tensor_value_info("x", element, x.shape)],
        [helper.make_tensor_value_info("y", kind, x.shape)], list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    network.setInput(x)
    runtime = ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    return np.round(network.forward(), 2).ravel().tolist(), runtime.ravel().tolist()

cast = outputs(helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT32), np.array([[2.7, 9.2]], "f4"), TensorProto.INT32)
width = numpy_helper.from_array(np.array([[2, 4]], np.int32), "width")
division = outputs(helper.make_node("Div", ["x", "width"], ["y"]), np.array([[7, 9]], np.int32), TensorProto.INT32, [width])
print("opencv", cv2.__version__, "| guessed: [2, 9] and [3, 2] from both | seen (OpenCV, ONNX Runtime): Cast", cast, "Div", division)
if not (np.allclose(cast[0], [2.7, 9.2]) and np.allclose(division[0], [3.5, 2.25], atol=0.01) and (cast[1], division[1]) == ([2, 9], [3, 2])):
    sys.exit("changed: OpenCV computes integers differently now")
END
