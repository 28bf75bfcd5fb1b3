"""The camera that the bare launch command starts, as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from node_process import Peer
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from table_bundle import CAMERA

from reloc_ros.demo.ros.picture_publisher import PicturePublisher
from reloc_ros.geometry import SE3

EXECUTABLE = Path(__file__).parent.parent.parent / "nodes" / "demo_camera"


@pytest.mark.slow
def test_the_endless_camera_plays_to_and_fro_until_it_is_stopped(peer: Peer, tmp_path):
    images = peer.listen(Image, "/garden/demo/image", 50)
    arguments = ["--endless", "--rate", "2", "--seconds", "1.5", "--ros-args", "-r", "__ns:=/garden/demo"]
    log = tmp_path / "camera.log"
    with log.open("wb") as stream:
        camera = subprocess.Popen(
            [sys.executable, str(EXECUTABLE), str(tmp_path / "cache"), *arguments],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    try:
        peer.wait_for(lambda: len(images) >= 8 or camera.poll() is not None, "two rounds", 240)
        assert camera.poll() is None, log.read_text()
        pictures = [bytes(image.data) for image in images]
        assert len(set(pictures)) == 3
        # 0 1 2 1 0 1 2 1 …: whichever came first, every second one is the middle.
        middle = next(number for number in (0, 1) if len(set(pictures[number::2])) == 1)
        assert len(set(pictures[1 - middle :: 2])) == 2
        camera.send_signal(signal.SIGINT)
        assert camera.wait(30) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        if camera.poll() is None:
            camera.kill()
            camera.wait()


def test_the_large_message_goes_first_so_that_it_takes_no_small_ones_place():
    sent = []
    publishers = {f"_{name}s": SimpleNamespace(publish=sent.append) for name in ("image", "info", "truth")}
    header = Header(stamp=Time(sec=7), frame_id="camera")
    camera = SimpleNamespace(**publishers, _camera=CAMERA, _header=lambda: header)
    PicturePublisher.publish(camera, np.zeros((480, 640, 3), np.uint8), SE3.identity())
    assert [type(message) for message in sent] == [Image, CameraInfo, PoseStamped]
    assert {message.header.stamp.sec for message in sent} == {7}
