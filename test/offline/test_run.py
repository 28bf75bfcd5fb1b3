import json

import cv2
import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.localizer import NO_KEYPOINTS, Keypoints, Localized, Lost, LostReason
from reloc_ros.offline.run import run_folder, write_poses

POSE = SE3.from_rotation_vector([0.1, 0.2, 0.3], [1, 2, 3])


class Answers:
    """Localizes every image in the same way and remembers what it was given."""

    def __init__(self, result: Localized | Lost):
        self.result, self.given = result, []

    def localize(self, image, camera=None):
        self.given.append((image.shape, camera))
        return self.result


def found() -> Localized:
    keypoints = Keypoints(np.arange(9), np.zeros((9, 2)), np.ones(9), np.ones(9))
    return Localized(POSE, np.eye(6), keypoints, np.arange(9) < 8, 1.5, {"total": 12.0})


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.png", "a.png", "deeper/c.png"):
        cv2.imwrite(str(folder / name), np.zeros((48, 64, 3), dtype=np.uint8))
    return folder


def test_every_image_is_localized_in_name_order(photos):
    seen = []
    results = run_folder(Answers(found()), photos, progress=lambda *step: seen.append(step))
    assert list(results) == ["a.png", "b.png", "deeper/c.png"]
    assert seen == [("localize", i, 3) for i in (1, 2, 3)]


def test_given_intrinsics_reach_the_localizer(photos):
    answers, camera = Answers(found()), object()
    run_folder(answers, photos, camera)
    assert answers.given == [((48, 64, 3), camera)] * 3


def test_an_image_that_cannot_be_read_is_lost_and_the_others_are_not(photos):
    (photos / "a.png").write_bytes(b"not an image")
    results = run_folder(Answers(found()), photos)
    lost = results.pop("a.png")
    assert isinstance(lost, Lost) and lost.reason == LostReason.BAD_IMAGE and "a.png" in lost.detail
    assert all(isinstance(result, Localized) for result in results.values())


def test_empty_and_missing_folders_are_refused(tmp_path):
    with pytest.raises(RelocError, match="holds no images"):
        run_folder(Answers(found()), tmp_path)
    with pytest.raises(RelocError, match="no image folder"):
        run_folder(Answers(found()), tmp_path / "nowhere")


def test_poses_are_written_as_documented(tmp_path):
    lost = Lost(LostReason.NO_KEYPOINTS, "none", NO_KEYPOINTS, np.zeros(0, dtype=bool), {"total": 3.0})
    write_poses(tmp_path / "poses.json", {"a.jpg": found(), "b.jpg": lost})
    read = json.loads((tmp_path / "poses.json").read_text())
    assert read["format"] == 1 and list(read["images"]) == ["a.jpg", "b.jpg"]
    entry = read["images"]["a.jpg"]
    assert entry["status"] == "localized" and entry["reason"] is None
    again = SE3.from_quaternion_wxyz(
        entry["camera_from_map"]["rotation_wxyz"], entry["camera_from_map"]["translation"]
    )
    np.testing.assert_allclose(again.matrix, POSE.matrix, atol=1e-12)
    assert np.shape(entry["covariance"]) == (6, 6)
    assert (entry["keypoints"], entry["inliers"]) == (9, 8)
    assert entry["refined"] is False
    assert (entry["reprojection_rms_px"], entry["latency_ms"]) == (1.5, 12.0)
    entry = read["images"]["b.jpg"]
    assert (entry["status"], entry["reason"]) == ("lost", "no_keypoints")
    assert (
        entry["camera_from_map"]
        is entry["covariance"]
        is entry["reprojection_rms_px"]
        is entry["refined"]
        is None
    )
    assert (entry["keypoints"], entry["inliers"], entry["latency_ms"]) == (0, 0, 3.0)
