#!/usr/bin/env bash
# Guess: CAP_PROP_POS_MSEC of the first frame and PyAV's frame.time are the same instant of the file's own clock.
# Instead: OpenCV subtracts the stream's start, PyAV does not: a clip that starts at 0.5 s differs by 0.5 s throughout.
# Bites: cut clips and segmented recordings start later than 0; poses by one and audio, IMU or labels by the other slip.
# Do: keep one reader; or subtract stream.start_time * time_base from PyAV's times before you compare.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6 av==18.1.0
v/bin/python - << 'END'
import sys
from fractions import Fraction
import av, cv2, numpy as np

with av.open("clip.mp4", "w") as file:
    stream = file.add_stream("libx264", rate=30, options={"bf": "0"})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    for time in (500, 533, 567, 600):
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
        frame.pts, frame.time_base = time, Fraction(1, 1000)
        file.mux(stream.encode(frame))
    file.mux(stream.encode())
video = cv2.VideoCapture("clip.mp4")
opencv = [round(video.get(cv2.CAP_PROP_POS_MSEC)) for _ in range(4) if video.read()[0]]
with av.open("clip.mp4") as file: pyav = [round(1000 * frame.time) for frame in file.decode(video=0)]
print("opencv", cv2.__version__, "av", av.__version__, "| guessed: equal | seen, ms: opencv", opencv, "PyAV", pyav)
if (opencv, pyav) != ([0, 33, 67, 100], [500, 533, 567, 600]): sys.exit("changed: the two clocks relate differently now")
END
