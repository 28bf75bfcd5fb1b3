"""What rosbags writes for machines without ROS is what ROS reads."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.serialization import deserialize_message
from reloc_ros.msg import RelocStatus
from table_bundle import make_table_bundle
from tf2_msgs.msg import TFMessage

from reloc_ros.geometry import SE3
from reloc_ros.localizer import NO_KEYPOINTS, Keypoints, Localized, Lost, LostReason
from reloc_ros.offline.sources.frame import Frame

pytest.importorskip("rosbags")
from reloc_ros.offline.running.ros_messages import (
    POSE,
    STATUS,
    STATUS_TYPE,
    TF,
    TYPES,
    WITH_COVARIANCE,
    PoseMessages,
    typestore,
)

KINDS = {POSE: PoseStamped, WITH_COVARIANCE: PoseWithCovarianceStamped, STATUS: RelocStatus, TF: TFMessage}
FRAME = Frame("f", None, stamp_ns=1_700_000_000_000_000_007, frame_id="camera")


@pytest.fixture(scope="module")
def messages(tmp_path_factory) -> PoseMessages:
    return PoseMessages(typestore(), make_table_bundle(tmp_path_factory.mktemp("b") / "t.bundle"), "onnx")


def read_by_ros(messages: PoseMessages, result: Localized | Lost) -> dict[str, object]:
    return {
        topic: deserialize_message(bytes(messages.store.serialize_cdr(message, TYPES[topic])), KINDS[topic])
        for topic, message in messages.of(FRAME, result, None)
    }


def test_ros_reads_the_pose_the_transform_and_the_status(messages):
    keypoints = Keypoints(np.arange(9), np.zeros((9, 2)), np.ones(9), np.ones(9))
    pose = SE3.from_rotation_vector([0.1, 0.2, 0.3], [1, 2, 3])
    covariance = np.arange(36.0).reshape(6, 6)
    result = Localized(pose, covariance, keypoints, np.arange(9) < 8, 1.5, {"total": 12.0})
    read = read_by_ros(messages, result)
    assert {message.header.stamp.nanosec for topic, message in read.items() if topic != TF} == {7}
    position = read[POSE].pose.position
    np.testing.assert_allclose([position.x, position.y, position.z], pose.center)
    assert read[WITH_COVARIANCE].pose.covariance.tolist() == covariance.ravel().tolist()
    assert read[TF].transforms[0].child_frame_id == "camera"
    status = read[STATUS]
    assert (status.state, status.inliers, status.backend) == (RelocStatus.TRACKING, 8, "onnx")
    assert status.frames_received == 1 and status.scale_known


def test_ros_reads_the_status_of_a_lost_image(messages):
    lost = Lost(LostReason.WEAK_EVIDENCE, "too little", NO_KEYPOINTS, np.zeros(0, bool), {})
    read = read_by_ros(messages, lost)
    assert list(read) == [STATUS]
    assert (read[STATUS].state, read[STATUS].reason) == (RelocStatus.LOST, "weak_evidence")
    assert read[STATUS].detail == "too little" and np.isnan(read[STATUS].latency_s)


def test_the_type_has_the_hash_that_ros_gave_it():
    described = [
        Path(prefix) / "share/reloc_ros/msg/RelocStatus.json"
        for prefix in os.environ["AMENT_PREFIX_PATH"].split(":")
    ]
    file = next((path for path in described if path.is_file()), None)
    if file is None:
        pytest.skip("this distribution of ROS does not hash its types")
    hashes = {
        entry["type_name"]: entry["hash_string"] for entry in json.loads(file.read_text())["type_hashes"]
    }
    assert typestore().hash_rihs01(STATUS_TYPE) == hashes[STATUS_TYPE]
