#!/usr/bin/env bash
# Guess: FileStorage.write takes a bool of Python, as it takes an int, and writes 1 or true.
# Instead: OpenCV 4 takes it for a scalar of four numbers and writes a 4x1 matrix of doubles, of which the first is 1; `real()` of the node
# is 1.8e308 then. OpenCV 5 writes `true`.
# Bites: who reads a flag of a calibration file (fisheye, rectified, mirrored) with another YAML library gets a matrix, and who compares it
# with 1 takes it for false. Do: write int(flag).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv four; four/bin/pip install -qq opencv-python-headless==4.14.0.94 numpy==2.4.6
python3 -m venv five; five/bin/pip install -qq opencv-python-headless==5.0.0.93 numpy==2.4.6
cat > flag.py << 'END'
import cv2

file = cv2.FileStorage("flags.yml", cv2.FILE_STORAGE_WRITE)
file.write("fisheye", True)
file.write("as_int", int(True))
file.release()
read = cv2.FileStorage("flags.yml", cv2.FILE_STORAGE_READ)
flag, as_int = read.getNode("fisheye"), read.getNode("as_int")
print(cv2.__version__, f"a matrix {flag.mat().ravel().tolist()}" if flag.isMap() else "a value", "| real():", flag.real(), "| int:", as_int.real())
END
four=$(four/bin/python flag.py); five=$(five/bin/python flag.py)
echo "opencv-python-headless | guessed: one value | seen: $four / $five"
[[ $four == "4.14.0 a matrix [1.0, 0.0, 0.0, 0.0] | real(): 1.79"*"| int: 1.0" && $five == "5.0.0 a value | real(): 1.0 | int: 1.0" ]] ||
  { echo "changed: a bool is written otherwise now"; exit 1; }
