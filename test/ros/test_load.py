import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from reloc_ros.msg import RelocStatus
from sensor_msgs.msg import Image
from table_bundle import CAMERA, camera_from_map, view

from reloc_ros.bench.node import load as load_module
from reloc_ros.bench.node.camera import load_images, load_truths
from reloc_ros.bench.node.load import LoadPlan, measure
from reloc_ros.bench.node.report import HeardPose, Recovery, Usage, load_from, soak_from
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3


def write_truth(path, poses):
    rows = []
    for pose in poses:
        w, x, y, z = pose.quaternion_wxyz
        rows.append([0.0, *pose.translation, x, y, z, w])
    np.savetxt(path, rows)


@pytest.fixture
def walk(tmp_path):
    """A folder of pictures, and the file with their poses."""
    folder = tmp_path / "walk"
    folder.mkdir()
    for index in range(1, 8):
        cv2.imwrite(str(folder / f"{index}.png"), view(index))
    truth = tmp_path / "truth.tum"
    write_truth(truth, [camera_from_map(index).inverse() for index in range(1, 8)])
    return folder, truth


@pytest.fixture(autouse=True)
def _settled_at_once(monkeypatch):
    """What is measured here needs no warm caches."""
    monkeypatch.setattr(load_module, "SETTLE_S", 0.2)


@pytest.mark.slow
def test_the_load_measurement_counts_what_the_node_did(table_bundle, walk):
    """Also where pictures and their camera are cut."""
    folder, truth = walk
    plan = LoadPlan(table_bundle, folder, seconds=2.0, rate_hz=20.0, width=640, height=360, truth=truth)
    load = measure(plan)[0]
    assert 10 <= load.received <= 45
    assert 0 < load.sent <= 45
    assert load.lost == load.wrong == 0
    assert load.compared == load.poses > 0.8 * (load.received - load.dropped)
    assert 0 < load.localize_p50_ms < load.stamp_to_pose_p50_ms <= load.stamp_to_pose_p99_ms
    assert load.cpu_percent > 0
    assert 50 < load.rss_first_mb < 2000 and 50 < load.rss_mb <= load.rss_max_mb < 2000


@pytest.mark.slow
def test_a_soak_does_faults_to_the_node_and_tells_how_it_recovers(table_bundle, walk):
    folder, truth = walk
    load, soak = measure(
        LoadPlan(table_bundle, folder, seconds=9.0, rate_hz=10.0, truth=truth, fault_every_s=1.0)
    )
    assert soak.faults == sum(map(len, soak.recovery_s.values())) >= 1
    assert soak.stuck == [] and load.wrong == 0


def test_a_soak_tells_faults_apart_and_how_memory_grows():
    recoveries = [
        Recovery("camera_killed", 20.0, 30.0, 0.5),
        Recovery("flood", 50.0, 95.0, None),
        Recovery("camera_killed", 97.0, 98.0, 0.7),
    ]
    delays_ms = {10: 20.0, 25: 4000.0, 40: 30.0, 60: 9000.0, 96: 40.0}
    poses = [HeardPose(at + 1e-3 * delay, at, at * 10**9, SE3.identity()) for at, delay in delays_ms.items()]
    soak = soak_from(recoveries, poses, np.linspace(100, 110, 101).tolist(), (0.0, 360.0))
    assert soak.faults == 3 and soak.stuck == ["flood"]
    assert soak.recovery_s == {"camera_killed": [0.5, 0.7]}
    assert soak.calm_p50_ms == pytest.approx(30.0)
    assert soak.rss_mb_per_h == pytest.approx(100.0) == soak.rss_later_mb_per_h


def test_the_camera_ends_without_a_word_when_told_to(table_bundle, walk, peer):
    images = peer.listen(Image, "/image")
    words = [sys.executable, "-m", "reloc_ros.bench.node.camera", walk[0], table_bundle, 20, 320, 240]
    with subprocess.Popen(list(map(str, words)), stderr=subprocess.PIPE, text=True) as camera:
        try:
            peer.wait_for(lambda: images, "an image")
            camera.send_signal(signal.SIGINT)
            _, said = camera.communicate(timeout=30)
        finally:
            camera.kill()
    assert (camera.returncode, said) == (0, "")


def test_figures_are_those_of_the_measured_time():
    """A hundred images, of which one is wrong by a metre; the delay grows from 10 to 109 ms."""
    before = RelocStatus(frames_received=50, frames_localized=40, frames_lost=10)
    last = RelocStatus(frames_received=155, frames_localized=140, frames_lost=12, frames_dropped=3)
    statuses = [RelocStatus(reason=reason) for reason in ("confirming", "no_keypoints", "no_keypoints")]
    for status in (*statuses, last):
        status.header.frame_id = "camera"
    last.pose_published = True
    truths = {index: SE3.identity() for index in range(100)} | {10**12: SE3.identity()}
    wild = SE3(np.eye(3), np.array([1.0, 0.0, 0.0]))
    poses = [
        HeardPose(
            100 + index + 1e-3 * (10 + index), 100 + index, index, wild if index == 7 else SE3.identity()
        )
        for index in range(100)
    ]
    load = load_from(
        before,
        [*statuses, last],
        poses,
        truths,
        Usage(5.0, [90.0] * 10 + [95.0] + [91.0] * 10),
        (-2.0, 8.0),
        10.5,
        0.1,
    )
    assert (load.expected, load.received, load.localized, load.lost, load.dropped) == (105, 105, 100, 2, 3)
    assert (load.poses, load.compared, load.wrong) == (100, 100, 1)
    assert load.sent == 100
    assert load.without_pose == {"confirming": 1, "no_keypoints": 2}
    assert load.stamp_to_pose_p50_ms == pytest.approx(59.5, abs=0.1)
    assert load.first_tenth_p50_ms == pytest.approx(14.5, abs=0.1)
    assert load.last_tenth_p50_ms == pytest.approx(104.5, abs=0.1)
    assert load.cpu_percent == pytest.approx(50.0)
    assert (load.rss_first_mb, load.rss_mb, load.rss_max_mb) == (90.0, 91.0, 95.0)


@pytest.mark.slow
def test_a_camera_that_the_node_cannot_hear_ends_the_measurement_with_the_nodes_words(table_bundle, walk):
    plan = LoadPlan(table_bundle, walk[0], reliability="best_effort", node_reliability="reliable")
    with pytest.raises(RelocError, match="best_effort, but reliable is asked for"):
        measure(plan)[0]


def test_pictures_are_cut_to_the_shape_that_is_asked_for_and_the_camera_with_them(tmp_path):
    """A point that is seen at some pixel of the whole picture is seen at the same spot of what is left of it."""
    picture = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(picture, (400, 250), 6, (255, 255, 255), -1)
    cv2.imwrite(str(tmp_path / "0.png"), picture)
    ray = CAMERA.unproject(np.array([[400.0, 250.0]]))
    for width, height in ((640, 480), (1280, 720), (320, 480)):
        camera, (image,) = load_images(tmp_path, CAMERA, width, height)
        assert image.shape == (height, width, 3)
        assert (camera.width, camera.height) == (width, height)
        if width > 320:
            y, x = np.argwhere(image[:, :, 0] > 128).mean(0)
            seen = camera.project(np.column_stack([ray, [1.0]]))[0]
            np.testing.assert_allclose(seen, [x, y], atol=0.6)


def test_a_folder_without_images_or_with_others_is_refused(tmp_path):
    with pytest.raises(RelocError, match="holds no image"):
        load_images(tmp_path, CAMERA, 640, 480)
    with pytest.raises(RelocError, match="not a folder"):
        load_images(tmp_path / "none", CAMERA, 640, 480)
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((360, 640, 3), np.uint8))
    with pytest.raises(RelocError, match="640x360, of another shape than the bundle's camera"):
        load_images(tmp_path, CAMERA, 640, 480)


def test_a_truth_is_read_or_refused(tmp_path):
    path, pose = tmp_path / "truth.tum", camera_from_map(5)
    write_truth(path, [pose, pose])
    np.testing.assert_allclose(load_truths(path, 2)[1].matrix, pose.matrix, atol=1e-12)
    with pytest.raises(RelocError, match="3 images need 8 each"):
        load_truths(path, 3)
    path.write_text("not a number\n")
    with pytest.raises(RelocError, match="TUM"):
        load_truths(path, 2)
