#!/usr/bin/env bash
# Guess: ffmpeg -vf fps=2 gives the frames shown at 0, 0.5, 1.0 s, in keeping with their new time stamps.
# Instead: its rounding ("near") keeps the LAST frame that rounds to each output time: with 30 frames/s those of 0.23, 0.73,
# 1.23 s, stamped 0, 0.5, 1.0. fps=1 is 0.47 s late.
# Bites: frames for a map matched with GNSS, IMU or another camera by time: a constant shift of half the new period.
# Do: -vf "select='...'" with -fps_mode passthrough, or decode all and choose by the frame's own time.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq imageio-ffmpeg==0.8.1 numpy==2.4.6
v/bin/python - << 'END'
import subprocess, sys
from importlib.metadata import version
import imageio_ffmpeg, numpy as np

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
frames = np.repeat(2 * np.arange(120, dtype=np.uint8), 64 * 48)  # 4 s; a frame's grey is twice its number
subprocess.run([ffmpeg, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s", "64x48", "-r", "30", "-i", "-",
                "-c:v", "ffv1", "video.mkv"], input=frames.tobytes(), check=True)
seen = {}
for rate in (2, 1):
    out = subprocess.run([ffmpeg, "-loglevel", "error", "-i", "video.mkv", "-vf", f"fps={rate}", "-f", "rawvideo",
                          "-pix_fmt", "gray", "-"], stdout=subprocess.PIPE, check=True).stdout
    grey = np.frombuffer(out, np.uint8).reshape(-1, 48 * 64)[:3, 0]
    seen[rate] = [round(float(g) / 2 / 30, 2) for g in grey]
print("imageio-ffmpeg", version("imageio-ffmpeg"), "ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
print("guessed, s: fps=2 [0, 0.5, 1], fps=1 [0, 1, 2] | seen:", seen)
if seen != {2: [0.23, 0.73, 1.23], 1: [0.47, 1.47, 2.47]}: sys.exit("changed: the fps filter chooses other frames now")
END
