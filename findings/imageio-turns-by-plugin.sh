#!/usr/bin/env bash
# Guess: imageio.v3.imread gives the same frame of a phone's portrait video whichever plugin reads it.
# Instead: the FFMPEG plugin turns it upright by the rotation in the file, the pyav plugin gives it as stored, and which
# one is used depends on what happens to be installed.
# Bites: a map made on one computer and queries on another lie at 90 deg to each other, with intrinsics that fit only one.
# Do: name the plugin, and with pyav apply the rotation yourself.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6 imageio==2.38.1 av==18.1.0 imageio-ffmpeg==0.8.1
v/bin/python - << 'END'
import subprocess, sys
from importlib.metadata import version
import imageio.v3 as iio, imageio_ffmpeg

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
def run(*words): subprocess.run([ffmpeg, "-y", "-loglevel", "error", *words], check=True)

run("-f", "lavfi", "-i", "testsrc=size=64x48:rate=30:duration=0.2", "-pix_fmt", "yuv420p", "flat.mp4")
run("-display_rotation", "-90", "-i", "flat.mp4", "-c", "copy", "portrait.mp4")
seen = {plugin: iio.imread("portrait.mp4", index=0, plugin=plugin).shape[:2] for plugin in ("FFMPEG", "pyav")}
print("imageio", version("imageio"), "av", version("av"), "| guessed: (64, 48) for both | seen:", seen)
if seen != {"FFMPEG": (64, 48), "pyav": (48, 64)}: sys.exit("changed: the plugins treat rotation differently now")
END
