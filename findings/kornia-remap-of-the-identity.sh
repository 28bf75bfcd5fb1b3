#!/usr/bin/env bash
# Guess: remap(image, x, y) with pixel coordinates takes the pixels at x, y, as OpenCV's remap does; with the grid itself the image returns.
# Instead: coordinates are scaled for one convention (align_corners) and sampled in the other by default: the picture is stretched by
# w / (w - 1), half a pixel at each edge, and its border blends with zeros.
# Bites: rectification maps from OpenCV: landmarks half a pixel off, more towards the edges. Do: pass align_corners=True.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq kornia==0.9.0 torch==2.13.0 numpy==2.4.6
v/bin/python - << 'END'
import sys, warnings
warnings.simplefilter("ignore")
import kornia, torch
from kornia.geometry.transform import remap

y, x = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
seen = [remap(x[None, None], x[None], y[None], **options)[0, 0, 24, [0, 16, 32, 48, 62]].numpy().round(2).tolist()
        for options in ({}, {"align_corners": True})]
print("kornia", kornia.__version__, "| guessed: 0 16 32 48 62 | seen:", seen[0], "with align_corners=True:", seen[1])
if abs(seen[0][3] - 48.26) > 0.05 or seen[1] != [0, 16, 32, 48, 62]: sys.exit("changed: pixel coordinates mean pixels by default now")
END
