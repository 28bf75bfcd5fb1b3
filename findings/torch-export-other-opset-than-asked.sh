#!/usr/bin/env bash
# Guess: torch.onnx.export(..., opset_version=16) writes opset 16 or raises.
# Instead: it exports 18 and tries to convert. Where an operator resists (layer normalization, which came with 17) it logs that
# and writes 18, without an exception; a plain convolution does become 16.
# Bites: engines of robots that stop at 16: the export script "passes" and the robot refuses the file.
# Do: read onnx.load(file).opset_import after every export.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import logging, onnx, sys, torch, warnings

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")

def opset_of(model):
    torch.onnx.export(model.eval(), (torch.zeros(1, 3, 8, 8),), "model.onnx", opset_version=16, verbose=False)
    return onnx.load("model.onnx").opset_import[0].version

seen = opset_of(torch.nn.Conv2d(3, 4, 3)), opset_of(torch.nn.LayerNorm(8))
print("torch", version("torch"), "| guessed: 16 16, or an error | seen: convolution", seen[0], "layer norm", seen[1])
if seen != (16, 18): sys.exit("changed: asking for opset 16 gives another result now")
END
