#!/usr/bin/env bash
# Guess: CAP_PROP_FRAME_COUNT of a clip cut without re-encoding (phones' trim, ffmpeg -c copy) is the number that read() gives.
# Instead: frames before the cut stay in the file for decoding, hidden by an edit list, and are counted: 120 for 105. ffmpeg,
# PyAV and read() agree on 105.
# Bites: "frame i of n" as time, evenly spread samples that crowd to the front, a whole clip taken for a damaged one.
# Do: read to the end and count, or count with PyAV's demuxer and the edit list in mind.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
v/bin/python - << 'END'
import subprocess, sys
import av, cv2, imageio_ffmpeg

def run(*words): subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *words], check=True)
run("-f", "lavfi", "-i", "testsrc=size=64x48:rate=30:duration=4", "-pix_fmt", "yuv420p", "-g", "30", "whole.mp4")
run("-ss", "0.5", "-i", "whole.mp4", "-c", "copy", "cut.mp4")
seen = {}
for name in ("whole", "cut"):
    video, read = cv2.VideoCapture(name + ".mp4"), 0
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    while video.read()[0]: read += 1
    with av.open(name + ".mp4") as file: decoded = sum(1 for _ in file.decode(video=0))
    seen[name] = count, read, decoded
print("opencv", cv2.__version__, "av", av.__version__,
      "| guessed: three times 105 for the cut clip | seen (count, read, PyAV):", seen)
if seen != {"whole": (120, 120, 120), "cut": (120, 105, 105)}: sys.exit("changed: the frames are counted differently now")
END
