#!/usr/bin/env bash
# Guess: as in Humble, Point(x=1) or Image(heigth=480) raises, or a whole number is converted to a double.
# Instead: since Jazzy nothing is checked unless ROS_PYTHON_CHECK_FIELDS=1, and serialization copies bits: x=1 leaves as 5e-324,
# np.float32(0.1) as 5e-315, np.True_ as false, a height of 2**32 as 0; a misspelt argument is dropped.
# Bites: a pose at whole metres, a numpy "valid" flag. Do: float(), bool(), int() at the border; set the variable in tests.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-geometry-msgs==5.3.6 ros-jazzy-sensor-msgs==5.3.6 numpy==2.4.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, os, sys
from geometry_msgs.msg import Point
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Bool

def there_and_back(message):
    return deserialize_message(serialize_message(message), type(message))

seen = [there_and_back(Point(x=1)).x, there_and_back(Point(x=np.float32(0.1))).x, there_and_back(Bool(data=np.True_)).data,
    there_and_back(Image(height=2**32)).height, there_and_back(Image(heigth=480)).height]
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: 1.0, 0.1, True, an error, an error | seen:", *seen)
if not (0 < seen[0] < 1e-300 and 0 < seen[1] < 1e-300 and seen[2:] == [False, 0, 0]):
    sys.exit("changed: fields of the wrong type are treated differently now")
try:
    Point(x=1, check_fields=True)
    sys.exit("changed: even with check_fields=True nothing is checked")
except AssertionError as error:
    print("with check_fields=True:", error)
END
