import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, rotation_error_deg
from reloc_ros.offline.align.timed_readings import camera_trajectory, poses_of_file
from reloc_ros.offline.align.trajectory import (
    Poses,
    Trajectory,
    match_images,
    read_trajectory,
    stamps_of_keys,
)
from reloc_ros.offline.align.trajectory_fit import find_time_offset, fit_trajectory
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity, fit_similarity

METRIC_FROM_SFM = Similarity(
    0.37, SE3.from_rotation_vector([0.4, -1.2, 2.0], [0, 0, 0]).rotation, np.array([3.0, -2.0, 0.5])
)


def true_trajectory(model: SfmModel, orientations: bool = True) -> Trajectory:
    poses = [METRIC_FROM_SFM.move_camera(pose).inverse() for pose in model.camera_from_map]
    if not orientations:
        poses = [SE3(np.eye(3), pose.translation) for pose in poses]
    return Trajectory(model.names, Poses.of(poses), orientations)


def disturbed(trajectory: Trajectory, noise_m: float, outlier_share: float, seed: int = 0) -> Trajectory:
    rng = np.random.default_rng(seed)
    count = len(trajectory.keys)
    offsets = rng.normal(0, noise_m, (count, 3))
    wrong = rng.choice(count, int(outlier_share * count), replace=False)
    offsets[wrong] += rng.uniform(0.5, 1.5, (len(wrong), 3)) * rng.choice([-1, 1], (len(wrong), 3))
    poses = zip(trajectory.map_from_camera, offsets, strict=True)
    moved = Poses.of(SE3(pose.rotation, pose.translation + offset) for pose, offset in poses)
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
    line = Poses.of(SE3(np.eye(3), np.array([0.1 * i, 0, 1.0])) for i in range(20))
    with pytest.raises(RelocError, match="on one line"):
        fit_trajectory(model, Trajectory(model.names, line, False))
    still = Poses.of(SE3(np.eye(3), np.ones(3)) for _ in range(20))
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
    few = Trajectory(("x", "y", *truth.keys[2:5]), truth.map_from_camera.take(np.arange(5)), True)
    with pytest.raises(RelocError, match=r"3 of its 5 poses.*image_000\.jpg"):
        fit_trajectory(model, few)


def test_orientations_of_another_camera_frame_are_refused():
    model = make_model(images=20)
    truth = true_trajectory(model)
    optical_from_opengl = SE3(np.diag([1.0, -1.0, -1.0]), np.zeros(3))
    poses = truth.map_from_camera.at(optical_from_opengl)
    with pytest.raises(RelocError, match=r"turned by 180 deg.*optical"):
        fit_trajectory(model, Trajectory(truth.keys, poses, True))


def test_orientations_that_scatter_are_refused():
    model = make_model(images=20)
    truth = true_trajectory(model)
    rng = np.random.default_rng(0)
    poses = Poses.of(
        SE3.from_rotation_vector(rng.normal(size=3), p.translation) for p in truth.map_from_camera
    )
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
        ("a.jpg 1 2 1e300 0 0 0 1\n", "line 1"),
        ("a.jpg 1 2 3 0 0 0 1\na.jpg 1 2 3 0 0 0 1\n", "more than once"),
        ("1e9 1 2 3 0 0 0 1\n1e9 2 2 3 0 0 0 1\n", "times with all of their digits"),
        (
            "a 22.549127 114.051316 12\nb 22.549115 114.051315 19\n",
            "22.5491 and 114.051, as latitude and longitude",
        ),
        ("1.5 1 2 3 0 0 0 1\n2.5 1 2 nan 0 0 0 1\n", "line 2"),
        ("1.5 1 2 3 0 0 0 1 7\n", "line 1"),
        ("1 0 0 5 0 1 0 6 0 0 1 7\n", "line 1 .*looks like KITTI's matrix"),
        ("image\n", "line 1"),
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


def test_a_number_of_any_length_is_looked_for():
    assert match_images(["9" * 5000, "0" * 5000 + "7"], ["a7.png", "b8.png"]) == [None, 0]


def test_ambiguous_keys_belong_to_no_image():
    assert match_images(["1", "a1", "b1.png"], ["a1.jpg", "a1.png", "b1.png"]) == [None, None, 2]


def test_a_dense_trajectory_gives_each_frame_the_pose_of_its_time():
    keys = tuple(f"{0.01 * i:.3f}" for i in range(41))
    times_ns = {"frame_000000.jpg": 0, "frame_000010.jpg": 333_333_333, "frame_000500.jpg": 16_666_666_667}
    poses = Poses.of(SE3(np.eye(3), np.array([0.01 * i, 0, 0])) for i in range(41))
    timed = poses_of_file(Trajectory(keys, poses, has_orientations=False))
    found = camera_trajectory(timed, list(times_ns), list(times_ns.values()), None)
    assert found.keys == ("frame_000000.jpg", "frame_000010.jpg")
    centers = [pose.translation[0] for pose in found.map_from_camera]
    np.testing.assert_allclose(centers, [0, 1 / 3], atol=1e-9)


def test_sparse_poses_hold_for_the_frames_that_they_are_near_to():
    """One pose a second, told to the millisecond: too far apart to go between."""
    keys = tuple(f"{i}.033" for i in range(5))
    poses = Poses.of(SE3(np.eye(3), np.array([float(i), 0, 0])) for i in range(5))
    timed = poses_of_file(Trajectory(keys, poses, has_orientations=False))
    asked = [33_333_333, 1_033_333_333, 1_066_666_667, 4_049_000_000, 4_060_000_000]
    found = camera_trajectory(timed, ["a", "b", "c", "d", "e"], asked, None)
    assert found.keys == ("a", "b", "d")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["1305031102.1758", "1305031102.2"], [1305031102175800000, 1305031102200000000]),
        (["1403636579763555584", "1403636579768555584"], [1403636579763555584, 1403636579768555584]),
        (["1403636579763", "1403636579768"], [1403636579763000000, 1403636579768000000]),
        (["1700000000", "1700000001"], [1700000000000000000, 1700000001000000000]),
        (["1.5e+00", "2.25e+00"], [1_500_000_000, 2_250_000_000]),
        (["0.5", "12"], [500_000_000, 12_000_000_000]),
        (["0", "12"], None),
        (["000123", "000124"], None),
        (["a.jpg", "1.5"], None),
        (["nan", "1.5"], None),
        (["0_1", "0_2"], None),
        (
            ["1403636597963555584.000000", "1403636598013555712.000000"],
            [1403636597963555584, 1403636598013555712],
        ),
        (
            ["1.403636579763555584e+18", "1.403636579768555584e+18"],
            [1403636579763555584, 1403636579768555584],
        ),
    ],
)
def test_keys_are_times_where_all_are_numbers_that_can_be(keys, expected):
    found = stamps_of_keys(keys)
    assert (None if found is None else found.tolist()) == expected


EUROC = "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], q_RS_z [], v_RS_R_x"
ECHOED = (
    "%time,field.header.seq,field.header.stamp,field.header.frame_id,field.child_frame_id,field.pose.pose.position.x,"
    "field.pose.pose.position.y,field.pose.pose.position.z,field.pose.pose.orientation.x,field.pose.pose.orientation.y,"
    "field.pose.pose.orientation.z,field.pose.pose.orientation.w,field.pose.covariance0"
)
"""As `rostopic echo -p` writes odometry."""


@pytest.mark.parametrize(
    ("text", "quaternion_wxyz"),
    [
        (f"{EUROC}\n1403636579758555392,1,2,3,0.8,0.6,0,0,0.05\n", [0.8, 0.6, 0, 0]),
        ("1403636579758555392,1,2,3,0.8,0.6,0,0\n", [0.8, 0.6, 0, 0]),
        ("timestamp,tx,ty,tz,qx,qy,qz,qw\n1403636579758555392,1,2,3,0.6,0,0,0.8\n", [0.8, 0.6, 0, 0]),
        (
            "# timestamp, x, y, z, qx, qy, qz, qw\n1403636579758555392, 1, 2, 3, 0.6, 0, 0, 0.8\n",
            [0.8, 0.6, 0, 0],
        ),
        ("#timestamp,x,y,z\r\n1403636579758555392,1,2,3\r\n", [1, 0, 0, 0]),
        ("\ufeff1403636579758555392 1 2 3 0.6 0 0 0.8\n", [0.8, 0.6, 0, 0]),
        ("# timestamp tx ty tz qw qx qy qz\n1403636579758555392 1 2 3 0.8 0.6 0 0\n", [0.8, 0.6, 0, 0]),
        (
            "# timestamp(s) tx ty tz qx qy qz qw Pr11 Pr12\n1403636579758555392 1 2 3 0.6 0 0 0.8 1e-5 0\n",
            [0.8, 0.6, 0, 0],
        ),
        ("1403636579758555392 1 2 3\n", [1, 0, 0, 0]),
        ("num,t,x,y,z,qx,qy,qz,qw\n7,1403636579758555392,1,2,3,0.6,0,0,0.8\n", [0.8, 0.6, 0, 0]),
        ("# id stamp x y z qw qx qy qz\n7 1403636579758555392 1 2 3 0.8 0.6 0 0\n", [0.8, 0.6, 0, 0]),
        (
            f"{ECHOED}\n1403636579758555393,7,1403636579758555392,map,base,1,2,3,0.6,0,0,0.8,0.1\n",
            [0.8, 0.6, 0, 0],
        ),
        ("#timestamp x y z qx qy qz qw id\n1403636579758555392 1 2 3 0.6 0 0 0.8 7\n", [0.8, 0.6, 0, 0]),
        ("1403636579758555392,1,2,3,0.8,0.6,0,0,0.1,0.2,0.3,\n", [0.8, 0.6, 0, 0]),
    ],
)
def test_files_of_eurocs_format_are_read_with_the_order_of_their_quaternion(tmp_path, text, quaternion_wxyz):
    (tmp_path / "data.csv").write_text(text, newline="")
    read = read_trajectory(tmp_path / "data.csv")
    assert read.keys == ("1403636579758555392",)
    np.testing.assert_allclose(read.map_from_camera[0].translation, [1, 2, 3])
    np.testing.assert_allclose(read.map_from_camera[0].quaternion_wxyz, quaternion_wxyz, atol=1e-12)


@pytest.mark.parametrize("frames", ["map", "odom,base_link", ""])
def test_what_ros2_topic_echo_writes_as_csv_is_read(tmp_path, frames):
    file = tmp_path / "odom.csv"
    file.write_text(
        "".join(f"1700000000,{ns},{frames},1,2,3,0.6,0,0,0.8,0.1,0\n" for ns in (5000, 100005000))
    )
    read = read_trajectory(file)
    assert read.keys == ("1700000000.000005000", "1700000000.100005000")
    np.testing.assert_allclose(read.map_from_camera[1].translation, [1, 2, 3])
    np.testing.assert_allclose(read.map_from_camera[1].quaternion_wxyz, [0.8, 0.6, 0, 0], atol=1e-12)


def test_a_quaternion_whose_square_no_number_holds_is_a_rotation_all_the_same(tmp_path):
    (tmp_path / "poses.txt").write_text(
        "".join(f"{i}.0 {i} 0 0 0 0 {scale} {scale}\n" for i, scale in enumerate(("1e-310", "1", "1e300")))
    )
    rotations = read_trajectory(tmp_path / "poses.txt").map_from_camera.rotations
    np.testing.assert_allclose(rotations, np.tile([[0, -1, 0], [1, 0, 0], [0, 0, 1]], (3, 1, 1)), atol=1e-9)


def test_a_header_with_more_columns_than_its_lines_have_is_refused(tmp_path):
    names = "# timestamp " + 2 * "a b c d e f g h " + "tx ty tz qx qy qz qw\n"
    (tmp_path / "poses.txt").write_text(names + "1.0 0 0 0 0 0 0 1\n2.0 0 0 0 0 0 0 1\n")
    with pytest.raises(RelocError, match="line 2 is not"):
        read_trajectory(tmp_path / "poses.txt")


def test_who_stands_still_is_not_taken_for_degrees(tmp_path):
    (tmp_path / "still.tum").write_text("1.5 10 20 3 0 0 0 1\n2.5 10 20 3 0 0 0 1\n")
    assert len(read_trajectory(tmp_path / "still.tum").keys) == 2


def test_long_files_are_read_in_a_time_in_proportion(tmp_path):
    """A row costs about as much in a file ten times as long; it was ten times as much."""
    rng = np.random.default_rng(0)
    times_s = []
    for count in (13_300, 133_000):
        rows = np.column_stack([1.4e9 + 0.005 * np.arange(count), rng.normal(size=(count, 7))])
        np.savetxt(tmp_path / "t.tum", rows, fmt="%.9f")
        start = time.process_time()
        assert len(poses_of_file(read_trajectory(tmp_path / "t.tum")).stamps_ns) == count
        times_s.append(time.process_time() - start)
    assert times_s[1] < min(2, 30 * times_s[0])


def test_names_may_hold_spaces_and_commas_and_positions_may_stand_alone(tmp_path):
    (tmp_path / "a.txt").write_text(
        "image tx ty tz qx qy qz qw\na, b 1.jpg 1 2 3 0 0 0 1\nc.jpg 4 5 6 0 0 0 1\n"
    )
    assert read_trajectory(tmp_path / "a.txt").keys == ("a, b 1.jpg", "c.jpg")
    (tmp_path / "b.txt").write_text("a.jpg 1 2 3\nb.jpg 4 5 6\n")
    read = read_trajectory(tmp_path / "b.txt")
    assert read.keys == ("a.jpg", "b.jpg") and not read.has_orientations
    np.testing.assert_array_equal(read.map_from_camera.positions, [[1, 2, 3], [4, 5, 6]])


def walk_around(times_s: np.ndarray) -> np.ndarray:
    """(N, 3) a walk that never repeats itself."""
    t = np.asarray(times_s)
    return np.column_stack([2 * np.cos(0.11 * t) + 0.04 * t, 1.5 * np.sin(0.17 * t), 0.2 * np.sin(0.4 * t)])


@pytest.mark.parametrize("offset_s", [-12.345, 0.0, 31.5])
def test_the_offset_of_two_clocks_is_where_the_paths_are_alike(offset_s):
    rng = np.random.default_rng(1)
    path_s, images_s = np.arange(0, 120, 0.05), np.linspace(40, 70, 50)
    positions = walk_around(path_s) + rng.normal(0, 0.005, (len(path_s), 3))
    centers = METRIC_FROM_SFM.inverse().apply(walk_around(images_s))
    found = find_time_offset("odom", centers, images_s - offset_s, positions, path_s, 0.5)
    assert found == pytest.approx(offset_s, abs=0.03)


def test_an_offset_that_is_not_clear_is_refused_with_how_to_tell_it():
    path_s, images_s = np.arange(0, 120, 0.05), np.linspace(0, 20, 50)
    circle = np.column_stack([np.cos(path_s / 5), np.sin(path_s / 5), 0 * path_s])
    centers = np.column_stack([np.cos(images_s / 5), np.sin(images_s / 5), 0 * images_s])
    with pytest.raises(RelocError, match=r"may have been taken on it .* or .* later.*--time-offset"):
        find_time_offset("odom", centers, images_s, circle, path_s, 0.5)
    other = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(RelocError, match=r"nowhere on it.*--time-offset"):
        find_time_offset("odom", other, images_s, circle, path_s, 0.5)
