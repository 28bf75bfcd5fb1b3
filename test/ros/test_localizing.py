"""One node with nothing special given, over DDS: what it answers to good images and to those of another place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from node_process import FRAME, NodeProcess, lost_because, tracking
from rclpy.time import Time
from table_bundle import camera_from_map, view

from reloc_ros.geometry import center_error, rotation_error_deg


@pytest.fixture(scope="module")
def usual(table_bundle, tmp_path_factory):
    """One node with nothing special given, for all tests that need no other."""
    given = {"bundle": str(table_bundle), "backend": "onnx"}
    node = NodeProcess(given, {}, (), tmp_path_factory.mktemp("usual") / "node.log")
    yield node
    node.kill()


def test_poses_transform_and_status_of_an_image_agree_and_carry_its_stamp(usual, peer):
    # The first transforms are not broadcast, while the node listens for who is whose parent.
    _, map_from_camera = peer.show_transform(view(5))
    assert center_error(map_from_camera.inverse(), camera_from_map(5)) < 1e-5
    assert rotation_error_deg(map_from_camera.inverse(), camera_from_map(5)) < 1e-4

    status, pose, with_covariance = peer.show_pose(view(5))
    assert status.pose_published
    assert (status.reason, status.detail) == ("", "")
    assert (status.map_frame, status.scale_known) == ("map", True)
    assert status.backend.startswith("onnx (CPU")
    assert status.inliers == status.keypoints >= 12
    assert status.reprojection_rms_px < 0.01
    assert 0 < status.latency_s < status.frame_age_s < 10
    assert status.header.frame_id == FRAME

    expected = camera_from_map(5).inverse()
    p = pose.pose.position
    assert pose.header.frame_id == "map"
    np.testing.assert_allclose([p.x, p.y, p.z], expected.translation, atol=1e-5)
    covariance = np.reshape(with_covariance.pose.covariance, (6, 6))
    np.testing.assert_allclose(covariance, covariance.T)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)


def test_another_place_gives_neither_pose_nor_transform(usual, peer):
    status = peer.show(view(0), lost_because("no_keypoints"))
    assert status.detail
    assert np.isnan(status.reprojection_rms_px)
    for _ in range(5):
        peer.show(view(0), lost_because("no_keypoints"))
    assert peer.poses == peer.poses_with_covariance == []
    assert not peer.tf.can_transform("map", FRAME, Time())


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("mono8", view(5)[:, :, 0]),
        ("rgb8", view(5)),
        ("rgba8", np.dstack([view(5), view(5)[:, :, :1]])),
        ("bayer_rggb8", view(5)[:, :, 0]),
    ],
)
def test_common_encodings_are_localized(usual, peer, encoding, pixels):
    peer.show(pixels, tracking, encoding=encoding)


def test_a_node_with_the_onnx_backend_holds_no_torch(usual, peer):
    peer.show(view(5), tracking)
    libraries = Path(f"/proc/{usual.process.pid}/maps").read_text()
    assert "onnxruntime" in libraries
    for heavy in ("libtorch", "pycolmap", "openvino"):
        assert heavy not in libraries
