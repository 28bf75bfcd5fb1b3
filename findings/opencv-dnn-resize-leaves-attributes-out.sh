#!/usr/bin/env bash
# Guess: an ONNX Resize is computed as its attributes say, or refused.
# Instead: OpenCV's dnn ignores nearest_mode (all four give one picture), computes half_pixel_symmetric as half_pixel, and
# samples by the ratio of the sizes where the model gives scales. ONNX Runtime and ONNX's reference agree with each other.
# Bites: a pyramid or a heatmap that is enlarged inside the network: samples half a pixel and more off, with fine scores.
# Do: resize outside the network, or by sizes with coordinate mode half_pixel and mode linear, which agree.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
import sys
import cv2, numpy as np, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

x = np.tile(np.arange(8, dtype="f4"), (1, 1, 6, 1))  # each value is the column it comes from

def columns(size, scales=None, **attributes):
    inputs = ["x", "", "scales"] if scales else ["x", "", "", "sizes"]
    given = np.array([1, 1, *scales], "f4") if scales else np.array([1, 1, *size])
    node = helper.make_node("Resize", inputs, ["y"], **{"coordinate_transformation_mode": "half_pixel", **attributes})
    graph = helper.make_graph([node], "layer", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, *size])], [numpy_helper.from_array(given, inputs[-1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    network.setInput(x)
    return network.forward()[0, 0, 0], ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0][0, 0, 0]

def off(*arguments, **attributes):
    by_opencv, by_runtime = columns(*arguments, **attributes)
    return round(float(np.abs(by_opencv - by_runtime).max()), 2)

modes = [columns((3, 4), mode="nearest", nearest_mode=mode) for mode in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")]
one = all(np.array_equal(by_opencv, modes[0][0]) for by_opencv, _ in modes), len({by_runtime.tobytes() for _, by_runtime in modes})
scaled = off((7, 10), (1.3, 1.3), mode="linear")
symmetric = off((7, 10), (1.3, 1.3), mode="linear", coordinate_transformation_mode="half_pixel_symmetric")
plain = off((3, 4), mode="linear"), off((12, 16), mode="linear")
print("opencv", cv2.__version__, "| guessed: False 2, and no difference elsewhere | seen: four nearest modes all one picture (OpenCV),",
      "pictures (ONNX Runtime)", one, "| columns off: by scales", scaled, "half_pixel_symmetric", symmetric, "by sizes, linear", plain)
if not (one == (True, 2) and scaled > 0.1 and symmetric > 0.1 and plain == (0, 0)): sys.exit("changed: OpenCV honours more of Resize now")
END
