#!/usr/bin/env bash
# Guess: marker 5 of DICT_APRILTAG_36h11 is tag 5 of the AprilTag library, the same way up, corners in the same order.
# Instead: the same number, but turned by 180 deg, and AprilTag lists corners the other way round (and half a pixel
# further on, as its pixel centres are at .5). Each library reads the other's prints without complaint.
# Bites: a pose from one used with a board measured with the other: the camera is on the far side, yaw off by 180 deg.
# Do: detect with the library that defined the map; else swap: opencv = apriltag[[1, 0, 3, 2]] - 0.5.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-contrib-python-headless==4.14.0.94 numpy==2.4.6 pupil-apriltags==1.0.4.post11
v/bin/python - << 'END'
import sys
import cv2, numpy as np, pupil_apriltags
from importlib.metadata import version

dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
marker = cv2.aruco.generateImageMarker(dictionary, 5, 200)
image = cv2.copyMakeBorder(marker, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255)
(corners,), ids, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(image)
opencv = corners[0].round().astype(int)
(tag,) = pupil_apriltags.Detector(families="tag36h11").detect(
    image, estimate_tag_pose=True, camera_params=(600, 600, 160, 160), tag_size=0.1)
print("opencv", cv2.__version__, "pupil-apriltags", version("pupil-apriltags"),
      "| guessed: one order of corners, rotation near 1")
print("seen: ids", ids.ravel()[0], tag.tag_id, "| opencv", opencv.tolist(), "| apriltag", tag.corners.round(1).tolist())
print("      rotation that apriltag sees in the upright marker: diagonal", np.diag(tag.pose_R).round(2))
half_turn = np.allclose(np.diag(tag.pose_R), [-1, -1, 1], atol=0.05)
if not (ids.ravel()[0] == tag.tag_id == 5 and half_turn and np.allclose(tag.corners[[1, 0, 3, 2]] - 0.5, opencv, atol=1.5)):
    sys.exit("changed: the two libraries agree, or differ in another way, now")
END
