import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, rotation_error_deg
from reloc_ros.offline.align.trajectory import Trajectory, match_images, read_trajectory
from reloc_ros.offline.align.trajectory_fit import fit_trajectory
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity, fit_similarity

METRIC_FROM_SFM = Similarity(
    0.37, SE3.from_rotation_vector([0.4, -1.2, 2.0], [0, 0, 0]).rotation, np.array([3.0, -2.0, 0.5])
)


def true_trajectory(model: SfmModel, orientations: bool = True) -> Trajectory:
    poses = [METRIC_FROM_SFM.move_camera(pose).inverse() for pose in model.camera_from_map]
    if not orientations:
        poses = [SE3(np.eye(3), pose.translation) for pose in poses]
    return Trajectory(model.names, tuple(poses), orientations)


def disturbed(trajectory: Trajectory, noise_m: float, outlier_share: float, seed: int = 0) -> Trajectory:
    rng = np.random.default_rng(seed)
    count = len(trajectory.keys)
    offsets = rng.normal(0, noise_m, (count, 3))
    wrong = rng.choice(count, int(outlier_share * count), replace=False)
    offsets[wrong] += rng.uniform(0.5, 1.5, (len(wrong), 3)) * rng.choice([-1, 1], (len(wrong), 3))
    poses = zip(trajectory.map_from_camera, offsets, strict=True)
    moved = tuple(SE3(pose.rotation, pose.translation + offset) for pose, offset in poses)
    return Trajectory(trajectory.keys, moved, trajectory.has_orientations)


def write_tum(trajectory: Trajectory, file):
    lines = ["# image tx ty tz qx qy qz qw"]
    for key, pose in zip(trajectory.keys, trajectory.map_from_camera, strict=True):
        w, x, y, z = pose.quaternion_wxyz
        lines.append(" ".join([key, *(repr(float(v)) for v in (*pose.translation, x, y, z, w))]))
    file.write_text("\n".join(lines) + "\n")


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_umeyama_recovers_any_similarity(seed, scale):
    rng = np.random.default_rng(seed)
    truth = Similarity(
        scale, SE3.from_rotation_vector(rng.normal(size=3), [0, 0, 0]).rotation, rng.normal(size=3)
    )
    points = rng.normal(size=(4, 3))
    found = fit_similarity(truth.apply(points), points)
    assert found.scale == pytest.approx(scale, rel=1e-6)
    np.testing.assert_allclose(found.rotation, truth.rotation, atol=1e-6)
    np.testing.assert_allclose(found.apply(points), truth.apply(points), atol=1e-7 * max(1, scale))


def test_umeyama_never_mirrors():
    points = np.random.default_rng(0).normal(size=(20, 3))
    assert np.linalg.det(fit_similarity(points * [1, 1, -1], points).rotation) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
def test_scale_and_rotation_survive_noise_and_a_fifth_of_outliers(seed):
    model = make_model(images=60)
    trajectory = disturbed(true_trajectory(model), noise_m=0.005, outlier_share=0.2, seed=seed)
    fit = fit_trajectory(model, trajectory)
    found = fit.map_from_sfm
    assert abs(found.scale / METRIC_FROM_SFM.scale - 1) < 0.005
    turn = rotation_error_deg(SE3(found.rotation, np.zeros(3)), SE3(METRIC_FROM_SFM.rotation, np.zeros(3)))
    assert turn < 0.5
    assert 40 <= fit.inliers <= 48
    assert fit.rms_m < 0.015
    assert fit.orientation_offset_deg < 0.5


def test_the_scale_error_says_how_wrong_the_scale_is():
    model = make_model(images=40)
    pulls = []
    for seed in range(40):
        trajectory = disturbed(true_trajectory(model, orientations=False), 0.01, 0.0, seed)
        fit = fit_trajectory(model, trajectory)
        pulls.append((fit.map_from_sfm.scale - METRIC_FROM_SFM.scale) / fit.scale_error)
    assert 0.7 < np.std(pulls) < 1.4


def test_poses_of_cameras_on_a_line_are_refused():
    model = make_model(images=20)
    line = tuple(SE3(np.eye(3), np.array([0.1 * i, 0, 1.0])) for i in range(20))
    with pytest.raises(RelocError, match="on one line"):
        fit_trajectory(model, Trajectory(model.names, line, False))
    still = tuple(SE3(np.eye(3), np.ones(3)) for _ in range(20))
    with pytest.raises(RelocError, match="one place"):
        fit_trajectory(model, Trajectory(model.names, still, False))


def test_cameras_on_a_line_still_give_the_scale_despite_outliers():
    along = make_model(images=40)
    starts = np.array([[0.1 * i, 0.02 * i, 1.0] for i in range(40)])
    poses = tuple(
        SE3(pose.rotation, -pose.rotation @ c) for pose, c in zip(along.camera_from_map, starts, strict=True)
    )
    model = dataclasses.replace(along, camera_from_map=poses)
    fit = fit_trajectory(model, disturbed(true_trajectory(model), 0.003, 0.2), frame=False)
    assert abs(fit.map_from_sfm.scale / METRIC_FROM_SFM.scale - 1) < 0.005
    assert 28 <= fit.inliers <= 32


def test_too_few_known_images_are_refused_with_an_example_of_a_name():
    model = make_model(images=20)
    truth = true_trajectory(model)
    few = Trajectory(("x", "y", *truth.keys[2:5]), truth.map_from_camera[:5], True)
    with pytest.raises(RelocError, match=r"3 of its 5 poses.*image_000\.jpg"):
        fit_trajectory(model, few)


def test_orientations_of_another_camera_frame_are_refused():
    model = make_model(images=20)
    truth = true_trajectory(model)
    optical_from_opengl = SE3(np.diag([1.0, -1.0, -1.0]), np.zeros(3))
    poses = tuple(pose @ optical_from_opengl for pose in truth.map_from_camera)
    with pytest.raises(RelocError, match=r"turned by 180 deg.*optical"):
        fit_trajectory(model, Trajectory(truth.keys, poses, True))


def test_orientations_that_scatter_are_refused():
    model = make_model(images=20)
    truth = true_trajectory(model)
    rng = np.random.default_rng(0)
    poses = tuple(SE3.from_rotation_vector(rng.normal(size=3), p.translation) for p in truth.map_from_camera)
    with pytest.raises(RelocError, match="orientations scatter"):
        fit_trajectory(model, Trajectory(truth.keys, poses, True))


def test_trajectory_goes_to_a_file_and_back(tmp_path):
    truth = true_trajectory(make_model())
    spaced = Trajectory(("my photo 1.jpg", *truth.keys[1:]), truth.map_from_camera, True)
    write_tum(spaced, tmp_path / "a.tum")
    read = read_trajectory(tmp_path / "a.tum")
    assert read.keys == spaced.keys and read.has_orientations
    for a, b in zip(read.map_from_camera, truth.map_from_camera, strict=True):
        np.testing.assert_allclose(a.matrix, b.matrix, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no poses"),
        ("# only a comment\n", "no poses"),
        ("a.jpg 1 2 3 0 0 0\n", "line 1"),
        ("a.jpg 1 2 3 0 0 0 1\nb.jpg 1 2 x 0 0 0 1\n", "line 2"),
        ("a.jpg 1 2 nan 0 0 0 1\n", "line 1"),
        ("a.jpg 1 2 3 0 0 0 0\n", "line 1"),
        ("a.jpg 1 2 3 0 0 0 1\na.jpg 1 2 3 0 0 0 1\n", "more than once"),
    ],
)
def test_bad_trajectory_is_one_sentence_that_says_where(tmp_path, text, message):
    file = tmp_path / "bad.tum"
    file.write_text(text)
    with pytest.raises(RelocError, match=message) as error:
        read_trajectory(file)
    assert "\n" not in str(error.value)


def test_missing_trajectory_is_refused(tmp_path):
    with pytest.raises(RelocError, match="cannot read trajectory"):
        read_trajectory(tmp_path / "none.tum")


def test_images_are_found_by_name_stem_or_number():
    names = ["left/frame_000007.jpg", "left/frame_000123.jpg", "right/other.png"]
    keys = ["left/frame_000007.jpg", "frame_000007.jpg", "frame_000123", "123", "000123", "other", "8", "1_2"]
    assert match_images(keys, names) == [0, 0, 1, 1, 1, 2, None, None]


def test_ambiguous_keys_belong_to_no_image():
    assert match_images(["1", "a1", "b1.png"], ["a1.jpg", "a1.png", "b1.png"]) == [None, None, 2]


def test_a_dense_trajectory_gives_each_frame_only_its_nearest_pose():
    keys = [f"{0.01 * i:.3f}" for i in range(41)]
    times_ns = {"frame_000000.jpg": 0, "frame_000010.jpg": 333_333_333, "frame_000500.jpg": 16_666_666_667}
    found = match_images(keys, list(times_ns), times_ns)
    assert {row: image for row, image in enumerate(found) if image is not None} == {0: 0, 33: 1}
