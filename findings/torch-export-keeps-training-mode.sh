#!/usr/bin/env bash
# Guess: exporting a model that is still in train() exports it for inference, as the exporter before torch 2.9 did, or warns.
# Instead: Dropout is exported switched on, so ONNX Runtime gives another answer at every call, while BatchNorm is folded in with
# its running statistics.
# Bites: an export at the end of a training step: accuracy drops "on the robot only". Do: model.eval() before, and run the file twice.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import logging, numpy as np, onnx, onnxruntime as ort, sys, torch, warnings

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")
model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout(0.5)).train()
image = torch.ones(1, 3, 8, 8)
torch.onnx.export(model, (image,), "model.onnx", external_data=False, verbose=False)
nodes = [node.op_type for node in onnx.load("model.onnx").graph.node]
session = ort.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
first, second = (session.run(None, {session.get_inputs()[0].name: image.numpy()})[0] for _ in range(2))
print("torch", version("torch"), "| guessed: Conv alone, equal answers | seen:", nodes, "| largest difference of two runs: %.2f" % np.abs(first - second).max())
if "Dropout" not in nodes or np.array_equal(first, second): sys.exit("changed: training mode is exported differently now")
END
