#!/usr/bin/env bash
# Guess: as with JPEG, imread applies a TIFF's orientation tag with IMREAD_COLOR and leaves it with IGNORE_ORIENTATION.
# Instead: half turns (3) are applied whatever the flag, and quarter turns (6, 8: any portrait photo) make imread return
# None. Pillow reads all of them, and turns them on load.
# Bites: scans and raw converters write TIFF; intrinsics fit the unturned image, and a portrait one is "unreadable".
# Do: read TIFF with Pillow or tifffile, and decide about the tag yourself.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6 pillow==13.0.0
v/bin/python - << 'END'
import os, sys
os.environ["OPENCV_LOG_LEVEL"] = "OFF"
import cv2, numpy as np, PIL
from PIL import Image

upright = np.zeros((40, 60, 3), np.uint8)
upright[:20, :30] = 255  # white corner: top left
seen = {}
for orientation in (1, 3, 6):
    exif = Image.Exif()
    exif[274] = orientation
    for suffix in ("jpg", "tif"):
        Image.fromarray(upright).save(f"{orientation}.{suffix}", exif=exif)
        for flag in (cv2.IMREAD_COLOR, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION):
            image = cv2.imread(f"{orientation}.{suffix}", flag)
            turned = image is not None and (image.shape[0] == 60 or image[5, 5, 0] < 128)
            seen.setdefault((suffix, orientation), []).append("None" if image is None else "turned" if turned else "as stored")
print("opencv", cv2.__version__, "pillow", PIL.__version__,
      "| guessed: turned, as stored | seen, without and with IGNORE_ORIENTATION:")
for key, row in seen.items(): print("  ", *key, row)
wanted = {("jpg", 3): ["turned", "as stored"], ("jpg", 6): ["turned", "as stored"],
          ("tif", 3): ["turned", "turned"], ("tif", 6): ["None", "None"]}
if any(seen[key] != row for key, row in wanted.items()): sys.exit("changed: TIFF orientation is treated differently now")
END
