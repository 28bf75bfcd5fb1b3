#!/usr/bin/env bash
# Guess: a constant of OpenCV's Python interface keeps its number from version 4 to 5, so that a number in a configuration stays what it was.
# Instead: of the PnP solvers OpenCV 5 took the two that did nothing of their own out, and those after them moved up: SQPNP is 6 instead of 8,
# and 6 was IPPE, which needs flat targets. (CV_8UC3 is 64 instead of 16, which cv_bridge knows.)
# Bites: flags kept as numbers (launch files, pickled settings, constants in C++ of another version) choose another solver without a word.
# Do: keep names, and look them up with getattr.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv four; four/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6
python3 -m venv five; five/bin/pip install -qq opencv-python-headless==5.0.0.93 numpy==2.4.6
cat > show.py << 'END'
import cv2

names = "ITERATIVE", "EPNP", "P3P", "AP3P", "IPPE", "IPPE_SQUARE", "SQPNP"
print(cv2.__version__, *(f"{name}={getattr(cv2, 'SOLVEPNP_' + name)}" for name in names))
END
four=$(four/bin/python show.py); five=$(five/bin/python show.py)
echo "opencv-python-headless | guessed: the same | seen: $four / $five"
[[ $four == *"IPPE=6 IPPE_SQUARE=7 SQPNP=8" && $five == *"IPPE=4 IPPE_SQUARE=5 SQPNP=6" ]] || { echo "changed: solvers have other numbers now"; exit 1; }
