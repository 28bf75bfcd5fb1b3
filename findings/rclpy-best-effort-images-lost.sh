#!/usr/bin/env bash
# Guess: on one machine, through shared memory, best-effort images at 10 Hz arrive: nothing is congested.
# Instead: Fast DDS's shared segment is 512 KB. A 1920x1080 bgr8 image (6.2 MB) does not fit, goes out in pieces over UDP, and a lost
# piece loses it; reliable loses none.
# Bites: the sensor-data profile with raw images. Do: subscribe reliably, or give the publisher a segment of 32 MB in its XML profile.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq 'ros-jazzy-rclpy[fastrtps]==7.1.6' ros-jazzy-sensor-msgs==5.3.6
export AMENT_PREFIX_PATH=$T/v RMW_IMPLEMENTATION=rmw_fastrtps_cpp _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
export ROS_DOMAIN_ID=$((RANDOM % 100)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$T LD_LIBRARY_PATH=$T/v/lib
for folder in "$T"/v/lib/python3*/site-packages/ros_*.libs; do LD_LIBRARY_PATH+=:$folder; done
cat > talk.py << 'END'
import array, sys, time, rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
publisher = rclpy.create_node("talker").create_publisher(Image, "image", QoSProfile(depth=5, reliability=ReliabilityPolicy[sys.argv[1]]))
image = Image(height=1080, width=1920, step=5760, encoding="bgr8", data=array.array("B", bytes(1080 * 5760)))
while publisher.get_subscription_count() < 1: time.sleep(0.05)
for _ in range(20): publisher.publish(image), time.sleep(0.1)
time.sleep(1)
END
v/bin/python - << 'END'
from importlib.metadata import version
import subprocess, sys, time, rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

def received(reliability):
    node, got = rclpy.create_node("listener"), []
    node.create_subscription(Image, "image", lambda message: got.append(1), QoSProfile(depth=5, reliability=ReliabilityPolicy[reliability]))
    talker = subprocess.Popen([sys.executable, "talk.py", reliability])
    while talker.poll() is None: rclpy.spin_once(node, timeout_sec=0.1)
    node.destroy_node()
    return len(got)

rclpy.init()
best_effort, reliable = received("BEST_EFFORT"), received("RELIABLE")
print("rclpy", version("ros-jazzy-rclpy"), "| guessed: 20 of 20 | seen: best effort", best_effort, "reliable", reliable)
if best_effort > 15 or reliable < 18: sys.exit("changed: large images arrive, or are lost, differently now")
END
