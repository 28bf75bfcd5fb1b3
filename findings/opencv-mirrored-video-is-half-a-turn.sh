#!/usr/bin/env bash
# Guess: a video whose display matrix mirrors it (front cameras, MOV and MP4) is shown mirrored, as ffmpeg does, or as stored.
# Instead: only an angle is read from the matrix: a horizontal mirror counts as a turn by 180 deg and a vertical one as
# nothing. VideoCapture gives the image upside down; PyAV's frame.rotation says -180 for it.
# Bites: frames that no rotation can bring right: features of left and right swapped never match the map.
# Do: read the matrix's determinant (ffprobe's side data); negative: decode unturned (CAP_PROP_ORIENTATION_AUTO 0) and flip.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6 av==18.1.0 imageio-ffmpeg==0.8.1
v/bin/python - << 'END'
import subprocess, sys
import av, cv2, imageio_ffmpeg, numpy as np

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
def run(*words): subprocess.run([ffmpeg, "-y", "-loglevel", "error", *words], check=True)

picture = np.zeros((48, 64, 3), np.uint8)
picture[:24, :32], picture[:24, 32:], picture[24:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)  # BGR; the last quarter is black
cv2.imwrite("p.png", picture)
run("-loop", "1", "-i", "p.png", "-frames:v", "3", "-c:v", "libx264", "-crf", "1", "-pix_fmt", "yuv444p", "plain.mp4")

def quarters(image):
    return "".join("BGRk"[np.argmax(p) if p.max() > 99 else 3] for p in (image[5, 5], image[5, -6], image[-6, 5], image[-6, -6]))

seen = {}
for name in ("hflip", "vflip"):
    run("-display_" + name, "-i", "plain.mp4", "-c", "copy", name + ".mp4")
    run("-i", name + ".mp4", "-frames:v", "1", name + ".png")
    with av.open(name + ".mp4") as file: rotation = next(file.decode(video=0)).rotation
    seen[name] = quarters(cv2.imread(name + ".png")), quarters(cv2.VideoCapture(name + ".mp4").read()[1]), rotation
print("opencv", cv2.__version__, "av", av.__version__, "| stored BGRk | guessed: opencv as ffmpeg")
print("seen (ffmpeg, opencv, PyAV's angle):", seen)
if (*seen["hflip"][:2], abs(seen["hflip"][2]), *seen["vflip"]) != ("GBkR", "kRGB", 180, "RkBG", "BGRk", 0):
    sys.exit("changed: mirrored videos are treated differently now")
END
