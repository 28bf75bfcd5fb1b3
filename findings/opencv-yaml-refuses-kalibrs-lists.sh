#!/usr/bin/env bash
# Guess: FileStorage reads a list whose dashes stand right below their key, as Kalibr's camchain.yaml and PyYAML write them.
# Instead: the whole file is refused: Python sees SystemError "returned a result with an exception set"; two blanks before the dashes help.
# Bites: T_cam_imu of Kalibr, and settings rewritten by a script. Do: read such files with PyYAML, or dump with default_flow_style=True.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6 pyyaml==6.0.4
OPENCV_LOG_LEVEL=SILENT v/bin/python - << 'END'
import sys
import cv2, yaml

calibration = {"cam0": {"T_cam_imu": [[0.0, -1.0], [1.0, 0.0]], "resolution": [752, 480]}}

def read(text):
    with open("camchain.yaml", "w") as file: file.write("%YAML:1.0\n---\n" + text)
    try: storage = cv2.FileStorage("camchain.yaml", cv2.FILE_STORAGE_READ)
    except SystemError as error: return type(error).__name__
    return storage.getNode("cam0").keys()

plain = yaml.dump(calibration, default_flow_style=None)
seen = read(plain), read(plain.replace("  - ", "    - ")), read(yaml.dump(calibration, default_flow_style=True))
print("opencv", cv2.__version__, "| guessed: the keys | seen:", seen[0], "| indented:", seen[1], "| in flow style:", seen[2])
if not (isinstance(seen[0], str) and "T_cam_imu" in seen[1] and "T_cam_imu" in seen[2]): sys.exit("changed: such lists are read, or others refused, now")
END
