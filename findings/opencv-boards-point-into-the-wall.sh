#!/usr/bin/env bash
# Guess: a marker seen as a board of one (GridBoard, matchImagePoints) has the axes that it has as a single marker with the corners that
# SOLVEPNP_IPPE_SQUARE asks for: x to the right, y up, z out of the wall; only the origin moves to a corner.
# Instead: boards, Charuco boards too, have y down and z INTO the wall: half a turn about x between the two poses.
# Bites: a marker replaced by a board for precision, or both on one robot: the dock, or the camera, is upside down behind the wall.
# Do: times diag(1, -1, -1) on the right for one of them.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import cv2, numpy as np

side, intrinsics = 0.2, np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1.0]])
words = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_250)
board = cv2.aruco.GridBoard((1, 1), side, 0.02, words)
flat = board.generateImage((300, 300), marginSize=50)
half = side / 2
square = np.array([[-half, half, 0], [half, half, 0], [half, -half, 0], [-half, -half, 0]])
turn = cv2.Rodrigues(np.array([0.2, 0.3, 0.1]))[0] @ np.diag([1.0, -1, -1])  # z towards the camera
wanted = cv2.projectPoints(square, turn, np.array([0.05, 0.02, 0.8]), intrinsics, None)[0]
drawn = np.float32([[49.5, 49.5], [249.5, 49.5], [249.5, 249.5], [49.5, 249.5]])
image = cv2.warpPerspective(flat, cv2.getPerspectiveTransform(drawn, np.float32(wanted.reshape(4, 2))), (640, 480), borderValue=255)

corners, ids, _ = cv2.aruco.ArucoDetector(words).detectMarkers(image)
_, marker, _ = cv2.solvePnP(square, corners[0], intrinsics, None, flags=cv2.SOLVEPNP_IPPE_SQUARE)
points, pixels = board.matchImagePoints(corners, ids)
_, one, _ = cv2.solvePnP(points, pixels, intrinsics, None)
marker, one = cv2.Rodrigues(marker)[0], cv2.Rodrigues(one)[0]
between = marker.T @ one
charuco = cv2.aruco.CharucoBoard((3, 3), 0.1, 0.08, words).getObjPoints()[0]
print("opencv", version("opencv-python-headless"), "| guessed: z out of the wall (towards the camera) for both | seen: z in the camera's frame",
      marker[:, 2].round(2).tolist(), "as a marker,", one[:, 2].round(2).tolist(), "as a board; between them diag", np.diag(between).round(2).tolist())
if not (np.allclose(between, np.diag([1, -1, -1]), atol=0.05) and charuco[3, 1] > charuco[0, 1]): sys.exit("changed: boards have other axes now")
END
