#!/usr/bin/env bash
# Guess: torch.onnx.export of a model of a few kilobytes writes one file, of the opset that a cautious exporter takes (18).
# Instead: the weights go into model.onnx.data, by name, and the opset is 20. Renamed, copied alone or loaded from bytes the
# model is refused.
# Bites: a bundle that stores "the" ONNX file; devices with older engines. Do: external_data=False and opset_version=18.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import logging, onnx, onnxruntime as ort, os, sys, torch

logging.disable(logging.WARNING)
torch.onnx.export(torch.nn.Conv2d(3, 4, 3).eval(), (torch.zeros(1, 3, 8, 8),), "model.onnx", verbose=False)
files, opset = sorted(name for name in os.listdir(".") if name.startswith("model")), onnx.load("model.onnx").opset_import[0].version
os.mkdir("bundle")
os.rename("model.onnx", "bundle/model.onnx")
try:
    ort.InferenceSession("bundle/model.onnx", providers=["CPUExecutionProvider"])
    moved = "loads"
except Exception as error:
    moved = type(error).__name__
print("torch", version("torch"), "| guessed: ['model.onnx'], opset 18, loads | seen:", files, "opset", opset, "| moved alone:", moved)
if (files, opset, moved) != (["model.onnx", "model.onnx.data"], 20, "Fail"): sys.exit("changed: another set of files, opset or outcome")
END
