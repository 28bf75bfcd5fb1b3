import json

import numpy as np
import pytest
from walks import read_tum

from reloc_ros.geometry import SE3
from reloc_ros.localizer import NO_KEYPOINTS, Keypoints, Localized, Lost, LostReason
from reloc_ros.offline.align.trajectory import read_trajectory
from reloc_ros.offline.running.pose_file_writers import poses_json_writer, tum_writer
from reloc_ros.offline.sources.frame import Frame

POSE = SE3.from_rotation_vector([0.1, 0.2, 0.3], [1, 2, 3])
LOST = Lost(LostReason.NO_KEYPOINTS, "none", NO_KEYPOINTS, np.zeros(0, dtype=bool), {"total": 3.0})


def found() -> Localized:
    keypoints = Keypoints(np.arange(9), np.zeros((9, 2)), np.ones(9), np.ones(9))
    return Localized(POSE, np.eye(6), keypoints, np.arange(9) < 8, 1.5, {"total": 12.0})


def test_poses_are_written_as_documented(tmp_path):
    with poses_json_writer(tmp_path / "poses.json") as write:
        write(Frame('a "1".jpg', None), found())
        write(Frame("b.jpg", None, stamp_ns=1_700_000_000_123_456_789), LOST)
    read = json.loads((tmp_path / "poses.json").read_text())
    assert read["format"] == 1 and list(read["images"]) == ['a "1".jpg', "b.jpg"]
    entry = read["images"]['a "1".jpg']
    assert (entry["status"], entry["reason"], entry["stamp_ns"]) == ("localized", None, None)
    again = SE3.from_quaternion_wxyz(
        entry["camera_from_map"]["rotation_wxyz"], entry["camera_from_map"]["translation"]
    )
    np.testing.assert_allclose(again.matrix, POSE.matrix, atol=1e-12)
    assert np.shape(entry["covariance"]) == (6, 6)
    assert (entry["keypoints"], entry["inliers"]) == (9, 8)
    assert entry["refined"] is False and entry["tracked"] is False
    assert (entry["reprojection_rms_px"], entry["latency_ms"]) == (1.5, 12.0)
    entry = read["images"]["b.jpg"]
    assert (entry["status"], entry["reason"], entry["detail"]) == ("lost", "no_keypoints", "none")
    empty = ("camera_from_map", "covariance", "reprojection_rms_px", "refined", "tracked")
    assert {entry[key] for key in empty} == {None}
    assert (entry["keypoints"], entry["inliers"], entry["latency_ms"]) == (0, 0, 3.0)
    assert entry["stamp_ns"] == 1_700_000_000_123_456_789


def test_a_trajectory_has_a_line_for_each_pose_and_none_for_a_lost_image(tmp_path):
    with tum_writer(tmp_path / "t.tum") as write:
        write(Frame("a", None, stamp_ns=1_700_000_000_123_456_789), found())
        write(Frame("b", None, stamp_ns=1_700_000_000_200_000_000), LOST)
        write(Frame("c", None, stamp_ns=1_700_000_001_000_000_007), found())
    lines = read_tum(tmp_path / "t.tum")
    assert list(lines) == ["1700000000.123456789", "1700000001.000000007"]
    tx, ty, tz, qx, qy, qz, qw = lines["1700000000.123456789"]
    np.testing.assert_allclose([tx, ty, tz], POSE.center, atol=1e-8)
    # The quaternion of map_from_camera, by hand: half the angle about the reversed axis.
    half = np.linalg.norm([0.1, 0.2, 0.3]) / 2
    vector = -np.array([0.1, 0.2, 0.3]) / (2 * half) * np.sin(half)
    np.testing.assert_allclose([qx, qy, qz, qw], [*vector, np.cos(half)], atol=1e-8)


def test_images_of_a_folder_are_numbered_as_they_come(tmp_path):
    with tum_writer(tmp_path / "t.tum") as write:
        for name, result in (("a", found()), ("b", LOST), ("c", found())):
            write(Frame(name, None), result)
    assert [float(key) for key in read_tum(tmp_path / "t.tum")] == [0, 2]
    assert len(read_trajectory(tmp_path / "t.tum").keys) == 2  # and align can read it


@pytest.mark.parametrize("sink", [poses_json_writer, tum_writer])
def test_a_run_that_is_stopped_leaves_what_was_there(tmp_path, sink):
    path = tmp_path / "results"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), sink(path) as write:
        write(Frame("a", None), found())
        raise KeyboardInterrupt
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
