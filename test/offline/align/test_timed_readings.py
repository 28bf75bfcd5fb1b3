import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, rotation_error_deg
from reloc_ros.io.atomic import write_json
from reloc_ros.offline.align.sources import parse_imu_rotation, parse_mount
from reloc_ros.offline.align.timed_readings import (
    Accelerations,
    StampedPoses,
    camera_trajectory,
    image_stamps_ns,
    poses_at,
    read_bag_accelerations,
    read_bag_poses,
)
from reloc_ros.offline.align.trajectory import Poses

pytest.importorskip("rosbags")
from pose_bags import write_pose_bag

START_NS = 1_700_000_000_123_456_789


def walk(count: int = 20) -> StampedPoses:
    stamps = START_NS + np.arange(count, dtype=np.int64) * 50_000_000
    poses = Poses.of(SE3.from_rotation_vector([0, 0, 0.1 * k], [0.1 * k, 0.01 * k, 0]) for k in range(count))
    return StampedPoses(stamps, poses)


@pytest.mark.parametrize("mcap", [True, False])
@pytest.mark.parametrize("name", ["nav_msgs/msg/Odometry", "geometry_msgs/msg/PoseStamped"])
def test_poses_come_back_out_of_a_bag(tmp_path, name, mcap):
    bag = write_pose_bag(tmp_path / "bag", walk(), kind=name, mcap=mcap)
    read = read_bag_poses(bag, "/odom")
    np.testing.assert_array_equal(read.stamps_ns, walk().stamps_ns)
    for a, b in zip(read.map_from_body, walk().map_from_body, strict=True):
        np.testing.assert_allclose(a.matrix, b.matrix, atol=1e-12)


def test_a_single_mcap_file_is_a_bag_too(tmp_path):
    bag = write_pose_bag(tmp_path / "bag", walk(), kind="geometry_msgs/msg/PoseWithCovarianceStamped")
    (file,) = bag.glob("*.mcap")
    assert len(read_bag_poses(file, "/odom").stamps_ns) == 20


def test_accelerations_come_back_out_of_a_bag(tmp_path):
    imu = Accelerations(walk().stamps_ns, np.random.default_rng(0).normal(size=(20, 3)))
    read = read_bag_accelerations(write_pose_bag(tmp_path / "bag", imu=imu), "/imu")
    np.testing.assert_array_equal(read.stamps_ns, imu.stamps_ns)
    np.testing.assert_array_equal(read.accelerations, imu.accelerations)


def test_a_missing_or_unfit_topic_is_refused_with_those_that_fit(tmp_path):
    bag = write_pose_bag(tmp_path / "bag", walk())
    with pytest.raises(RelocError, match="no topic /odometry; of a fitting type it has /odom"):
        read_bag_poses(bag, "/odometry")
    with pytest.raises(
        RelocError, match=r"/chatter of .* is std_msgs/msg/String, needed is nav_msgs/msg/Odometry"
    ):
        read_bag_poses(bag, "/chatter")
    with pytest.raises(RelocError, match="no topic /imu; it has none of a fitting type"):
        read_bag_accelerations(bag, "/imu")


def test_an_imu_that_says_it_measures_no_acceleration_is_refused(tmp_path):
    imu = Accelerations(walk().stamps_ns, np.zeros((20, 3)))
    with pytest.raises(RelocError, match="measures no accelerations"):
        read_bag_accelerations(write_pose_bag(tmp_path / "bag", imu=imu, covariance=-1.0), "/imu")


def test_damaged_and_missing_bags_are_refused(tmp_path):
    with pytest.raises(RelocError, match="there is no bag"):
        read_bag_poses(tmp_path / "none", "/odom")
    (tmp_path / "old.bag").touch()
    with pytest.raises(RelocError, match="ROS 1 bag; convert it"):
        read_bag_poses(tmp_path / "old.bag", "/odom")
    bag = write_pose_bag(tmp_path / "bag", walk())
    (file,) = bag.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(RelocError, match="cannot be read") as refused:
        read_bag_poses(bag, "/odom")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_poses_that_are_not_finite_are_refused(tmp_path, number):
    bad = (*list(walk(3).map_from_body)[:2], SE3(np.eye(3), np.array([number, 0, 0])))
    bag = write_pose_bag(tmp_path / "bag", StampedPoses(walk(3).stamps_ns, Poses.of(bad)))
    with pytest.raises(RelocError, match=r"pose number 3 is none: .*finite numbers"):
        read_bag_poses(bag, "/odom")


@pytest.mark.parametrize("number", [np.nan, 1e300])
def test_accelerations_of_no_sensor_are_refused(tmp_path, number):
    imu = Accelerations(walk(3).stamps_ns, np.array([[0, 0, 9.8], [0, 0, number], [0, 0, 9.8]]))
    with pytest.raises(RelocError, match="not finite, or of no sensor"):
        read_bag_accelerations(write_pose_bag(tmp_path / "bag", imu=imu), "/imu")


def test_poses_between_stamps_are_interpolated_and_gaps_are_not():
    poses = walk()
    stamps = np.append(poses.stamps_ns[:10], poses.stamps_ns[10:] + 10**9)
    gappy = StampedPoses(stamps, poses.map_from_body)
    asked = [START_NS - 1, START_NS, START_NS + 75_000_000, int(stamps[9]) + 5 * 10**8, int(stamps[-1]) + 1]
    before, first, between, gap, after = poses_at(gappy, asked)
    assert (before, gap, after) == (None, None, None)
    np.testing.assert_array_equal(first.matrix, poses.map_from_body[0].matrix)
    expected = SE3.from_rotation_vector([0, 0, 0.15], [0.15, 0.015, 0])
    np.testing.assert_allclose(between.translation, expected.translation, atol=1e-9)
    assert rotation_error_deg(between, expected) < 1e-6


def test_the_mount_carries_the_bodys_poses_to_the_camera():
    mount = SE3.from_rotation_vector([-1.2, 1.2, -1.2], [0.3, 0, 1])
    stamps = walk().stamps_ns[3:5].tolist()
    placed = camera_trajectory(walk(), ["a", "b"], stamps, mount)
    assert placed.keys == ("a", "b") and placed.has_orientations
    np.testing.assert_allclose(placed.map_from_camera[0].matrix, (walk().map_from_body[3] @ mount).matrix)
    bare = camera_trajectory(walk(), ["a", "b"], stamps, None)
    assert not bare.has_orientations
    np.testing.assert_array_equal(bare.map_from_camera[0].translation, walk().map_from_body[3].translation)


def test_times_of_images_are_noted_beside_them_or_are_their_names(tmp_path):
    names = ["a.jpg", "1700000000123456789.png", "cam/1700000000.5.jpg", "frame_000001.jpg"]
    assert image_stamps_ns(tmp_path, names) == {names[1]: START_NS, names[2]: 1_700_000_000_500_000_000}
    write_json(tmp_path / "frames.json", {"stamps_ns": {"a.jpg": START_NS + 7}})
    assert image_stamps_ns(tmp_path, names)["a.jpg"] == START_NS + 7
    (tmp_path / "frames.json").write_text("{")
    assert "a.jpg" not in image_stamps_ns(tmp_path, names)


def test_mounts_are_read_as_users_write_them():
    np.testing.assert_allclose(parse_mount("1 2 3 0 0 0 2").matrix[:3, 3], [1, 2, 3])
    np.testing.assert_allclose(parse_imu_rotation("0,0,0,1"), np.eye(3))
    # A body that looks as the camera does: the optical axis is ahead, x.
    np.testing.assert_allclose(parse_imu_rotation("body") @ [0, 0, 1], [1, 0, 0])
    np.testing.assert_allclose(parse_imu_rotation("body") @ [0, -1, 0], [0, 0, 1])


@pytest.mark.parametrize("text", ["", "1 2 3", "1 2 3 0 0 0 0", "1 2 3 0 0 0 x", "nan 2 3 0 0 0 1"])
def test_a_bad_mount_is_refused(text):
    with pytest.raises(RelocError, match="--base-from-camera"):
        parse_mount(text)


@pytest.mark.parametrize("text", ["optical", "0,0,0", "0,0,0,0", "nan,0,0,1"])
def test_a_bad_imu_rotation_is_refused(text):
    with pytest.raises(RelocError, match="--imu-from-camera"):
        parse_imu_rotation(text)
