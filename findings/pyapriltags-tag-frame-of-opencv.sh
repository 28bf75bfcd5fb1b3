#!/usr/bin/env bash
# Guess: OpenCV (DICT_APRILTAG_36h11) and the AprilTag library agree which corner of a 36h11 tag is the first and where its axes point.
# Instead: a tag that OpenCV draws upright is upside down to AprilTag, and AprilTag's z points into the wall, OpenCV's out of it:
# the two poses of one tag differ by half a turn about its y axis, with the same position.
# Bites: a tag map surveyed with one and used with the other. Do: multiply by diag(-1, 1, -1), and say which convention a map has.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pyapriltags==3.4.3.1 opencv-python-headless==4.12.0.88 numpy==2.2.6
v/bin/python - << 'END'
from importlib.metadata import version
import cv2, numpy as np, sys
from pyapriltags import Detector

dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
image = np.full((400, 400), 255, np.uint8)
image[100:260, 140:300] = cv2.aruco.generateImageMarker(dictionary, 3, 160)
corners = cv2.aruco.ArucoDetector(dictionary).detectMarkers(image)[0][0].reshape(4, 2)
square = np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]]) * 0.05
k = np.array([[400.0, 0, 200], [0, 400, 200], [0, 0, 1]])
_, turn, _ = cv2.solvePnP(square, corners, k, None, flags=cv2.SOLVEPNP_IPPE_SQUARE)
by_opencv = cv2.Rodrigues(turn)[0]
(tag,) = Detector("tag36h11").detect(image, estimate_tag_pose=True, camera_params=(400, 400, 200, 200), tag_size=0.1)
seen = (by_opencv.T @ tag.pose_R).round(1)
print("opencv", cv2.__version__, "pyapriltags", version("pyapriltags"), "| guessed: no turn between them | seen: diag", np.diag(seen))
print("first corner: opencv", corners[0], "apriltag", tag.corners[0].round(1))
if not np.allclose(seen, np.diag([-1, 1, -1]), atol=0.05): sys.exit("changed: another turn lies between the two conventions")
END
