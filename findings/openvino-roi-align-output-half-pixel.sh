#!/usr/bin/env bash
# Guess: RoiAlign gives the same crops with OpenVINO as with ONNX Runtime and ONNX's reference, for both of its two conventions.
# Instead: for half_pixel it does; for output_half_pixel (detectron's and torchvision's aligned=False) the crop is another one.
# Bites: patches cut out of a feature map around keypoints. Do: export with aligned=True, or crop outside the model.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, onnxruntime as ort, openvino as ov, sys
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

image = np.random.default_rng(0).normal(size=(1, 1, 6, 8)).astype(np.float32)
constants = [numpy_helper.from_array(np.array([[0, 0, 4, 4]], np.float32), "rois"), numpy_helper.from_array(np.array([0]), "batch")]

def crops(convention):
    node = helper.make_node("RoiAlign", ["x", "rois", "batch"], ["y"], output_height=2, output_width=2, coordinate_transformation_mode=convention)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, image.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 2])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    by_ort = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": image})[0]
    reference = ReferenceEvaluator(model).run(None, {"x": image})[0]
    compiled = ov.compile_model(ov.Core().read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [float(np.abs(other - by_ort).max().round(3)) for other in (reference, compiled(image)[0])]

seen = {convention: crops(convention) for convention in ("half_pixel", "output_half_pixel")}
print("openvino", version("openvino"), "| guessed: no difference | seen, against onnxruntime [reference, openvino]:", seen)
if seen["half_pixel"] != [0, 0] or seen["output_half_pixel"][0] > 0 or seen["output_half_pixel"][1] < 0.1: sys.exit("changed: one of the conventions is computed differently now")
END
