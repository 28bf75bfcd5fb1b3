#!/usr/bin/env bash
# Guess: FileStorage reads a bare string in YAML up to the comment, as it reads numbers, and file:///map.yaml as a string.
# Instead: the comment belongs to the string; and a colon inside, which YAML makes a key of only before a space, makes a mapping of it.
# Bites: ORB-SLAM and OpenVSLAM settings: "Camera.model: perspective # pinhole" is an unknown model. Do: put strings in quotes.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6 pyyaml==6.0.4
v/bin/python - << 'END'
import sys
import cv2, yaml

text = ("%YAML:1.0\n---\nfps: 30 # Hz\nmodel: perspective # pinhole\nquoted: \"perspective\" # pinhole\nurl: file:///map.yaml\n")
with open("settings.yaml", "w") as file: file.write(text)
storage = cv2.FileStorage("settings.yaml", cv2.FILE_STORAGE_READ)
seen = {name: storage.getNode(name).string() for name in ("model", "quoted")} | {"fps": storage.getNode("fps").real()}
seen["url"] = "a mapping" if storage.getNode("url").isMap() else storage.getNode("url").string()
print("opencv", cv2.__version__, "| guessed:", yaml.safe_load(text.split("---")[1]), "| seen:", seen)
if seen != {"model": "perspective # pinhole", "quoted": "perspective", "fps": 30, "url": "a mapping"}: sys.exit("changed: strings are read differently now")
END
