#!/usr/bin/env bash
# Guess: set(CAP_PROP_POS_MSEC, t) goes to the frame shown at t, also where the frame rate varies (phones); FRAME_COUNT counts.
# Instead: t is multiplied by one rate for the whole file and taken as a frame NUMBER: in MP4 300 ms gives the frame of
# 33 ms; in MKV it gives the one of 2000 ms, and the count there is 61 for ten frames.
# Bites: frames extracted every half second, or matched to an IMU by time, are seconds off, while reading straight is right.
# Do: read on with grab() and look at CAP_PROP_POS_MSEC of each frame, or seek with PyAV.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6 av==18.1.0
v/bin/python - << 'END'
import sys
from fractions import Fraction
import av, cv2, numpy as np

times_ms = [0, 33, 67, 100, 600, 633, 667, 1200, 1233, 2000]
seen = {}
for name in ("video.mp4", "video.mkv"):
    with av.open(name, "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time in times_ms:
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    video = cv2.VideoCapture(name)
    read = [round(video.get(cv2.CAP_PROP_POS_MSEC)) for _ in times_ms if video.read()[0]]
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    video.set(cv2.CAP_PROP_POS_MSEC, 300)
    video.read()
    seen[name] = read == times_ms, count, round(video.get(cv2.CAP_PROP_POS_MSEC))
print("opencv", cv2.__version__, "av", av.__version__,
      "| guessed: (True, 10, 100) | seen (straight reading right, count, at 300 ms):", seen)
if seen != {"video.mp4": (True, 10, 33), "video.mkv": (True, 61, 2000)}:
    sys.exit("changed: seeking by time works differently now")
END
