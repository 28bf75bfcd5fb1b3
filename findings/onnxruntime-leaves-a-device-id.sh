#!/usr/bin/env bash
# Guess: importing an inference engine writes nothing.
# Instead: the Linux wheel makes an identifier of the computer and a database of events in the home folder, and a file `.ses` in TMPDIR, at
# import, unless ORT_DISABLE_TELEMETRY is 1; its privacy page says that events go to the maker.
# Bites: read-only homes, images that are to be the same every time, robots whose network is watched. Do: set the variable before the import.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnxruntime==1.32.0 numpy==2.4.6
left() { # what an import leaves in an empty home
  mkdir "$1" && env -u ORT_DISABLE_TELEMETRY -u XDG_CACHE_HOME HOME="$T/$1" TMPDIR="$T/$1" ${2:-} "$T/v/bin/python" -B -c 'import onnxruntime'
  (cd "$1" && find . -type f -printf '%f\n' | sort | paste -sd ' ')
}
plain=$(left plain); off=$(left off ORT_DISABLE_TELEMETRY=1 || true)
echo "onnxruntime 1.32.0 | guessed: no file | seen: ${plain:-none} | with ORT_DISABLE_TELEMETRY=1: ${off:-none}"
[[ $plain == *deviceid* && $off != *deviceid* ]] || { echo "changed: an import leaves other files now"; exit 1; }
