#!/usr/bin/env bash
# Guess: pip either finds an opencv-python 4.9 and a numpy 2 that work together, or refuses the pair.
# Instead: 4.8 and 4.9 ask for numpy >= 1.23.5 without an upper bound: both are installed, `pip check` is content, import cv2 fails.
# Bites: an old pin of OpenCV (its ArUco or calibration results are to stay) in a new environment. Do: numpy<2 beside it, or 4.10 on;
# import cv2 in the image's build.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; check=()
for version in 4.9.0.80 4.10.0.84; do
  v/bin/pip install -qq "opencv-python-headless==$version" numpy==2.4.6
  imported=$(v/bin/python -c 'import cv2; print("imports")' 2>&1 | tail -n 1 || true)
  check+=("$version: $(v/bin/pip check); $imported")
done
echo "opencv | guessed: refused, or imports | seen: ${check[*]}"
good='No broken requirements found.'
[ "${check[*]}" = "4.9.0.80: $good; ImportError: numpy.core.multiarray failed to import 4.10.0.84: $good; imports" ] \
  || { echo "changed: pip or OpenCV behaves differently now" >&2; exit 1; }
