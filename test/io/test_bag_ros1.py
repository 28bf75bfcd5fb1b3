"""A bag of ROS 1 is read by all that reads bags, as one of ROS 2."""

from pathlib import Path

import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag
from reloc_ros.offline.align.timed_readings import read_bag_accelerations, read_bag_poses
from reloc_ros.offline.running.bag_tf import BagTf
from reloc_ros.offline.sources.open_source import open_source

pytest.importorskip("rosbags")
from rosbags.rosbag1 import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

START_NS = 1_500_000_000_000_000_000
PICTURES = [np.full((24, 32, 3), (40, 90, 10 * i), np.uint8) for i in range(4)]
K = [30.0, 0.0, 15.5, 0.0, 31.0, 11.5, 0.0, 0.0, 1.0]
TFS = "tf2_msgs/msg/TFMessage"


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """Images with intrinsics, odometry, an IMU and a latched mount, all with slashes before their frames."""
    path = tmp_path_factory.mktemp("ros1") / "walk.bag"
    store = get_typestore(Stores.ROS1_NOETIC)
    store.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", TFS))
    store.register(get_types_from_msg("uint8 x", "nobody_has/msg/This"))
    t = store.types

    def header(stamp_ns: int, frame: str):
        stamp = t["builtin_interfaces/msg/Time"](stamp_ns // 10**9, stamp_ns % 10**9)
        return t["std_msgs/msg/Header"](7, stamp, frame)

    vector, quaternion = t["geometry_msgs/msg/Vector3"], t["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    with Writer(path) as writer:

        def put(topic: str, kind: str, stamps_ns: list[int], message_at, latching: int | None = None) -> None:
            connection = writer.add_connection(topic, kind, typestore=store, latching=latching)
            for stamp_ns in stamps_ns:
                writer.write(connection, stamp_ns, store.serialize_ros1(message_at(stamp_ns), kind))

        def image(stamp_ns: int):
            picture = PICTURES[(stamp_ns - START_NS) // 10**8]
            head = header(stamp_ns, "/camera")
            return t["sensor_msgs/msg/Image"](head, 24, 32, "bgr8", 0, 96, picture.reshape(-1))

        def info(stamp_ns: int):
            roi = t["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            d, k, r, p = np.array([0.1, 0.02, 0, 0, 0]), np.array(K), np.eye(3).ravel(), np.zeros(12)
            head = header(stamp_ns, "/camera")
            return t["sensor_msgs/msg/CameraInfo"](head, 24, 32, "plumb_bob", d, k, r, p, 0, 0, roi)

        def odometry(stamp_ns: int):
            pose = t["geometry_msgs/msg/Pose"](t["geometry_msgs/msg/Point"](1.0, 2.0, 3.0), quaternion)
            still = t["geometry_msgs/msg/Twist"](vector(0.0, 0.0, 0.0), vector(0.0, 0.0, 0.0))
            return t["nav_msgs/msg/Odometry"](
                header(stamp_ns, "/odom"),
                "/base_link",
                t["geometry_msgs/msg/PoseWithCovariance"](pose, np.zeros(36)),
                t["geometry_msgs/msg/TwistWithCovariance"](still, np.zeros(36)),
            )

        def imu(stamp_ns: int):
            zero, nine = vector(0.0, 0.0, 0.0), np.zeros(9)
            head = header(stamp_ns, "/imu")
            return t["sensor_msgs/msg/Imu"](head, quaternion, nine, zero, nine, vector(0.0, 0.0, 9.8), nine)

        def mount(stamp_ns: int):
            transform = t["geometry_msgs/msg/Transform"](vector(0.3, 0.0, 1.0), quaternion)
            stamped = t["geometry_msgs/msg/TransformStamped"](
                header(stamp_ns, "/base_link"), "/camera", transform
            )
            return t[TFS]([stamped])

        each = [START_NS + k * 10**8 for k in range(4)]
        put("/camera/image_raw", "sensor_msgs/msg/Image", each, image)
        put("/camera/camera_info", "sensor_msgs/msg/CameraInfo", each, info)
        put("/odom", "nav_msgs/msg/Odometry", each, odometry)
        put("/imu", "sensor_msgs/msg/Imu", each, imu)
        put("/tf_static", TFS, each[:1], mount, latching=1)
        put("/secret", "nobody_has/msg/This", each, lambda _: t["nobody_has/msg/This"](5))
    return path


def test_images_come_with_their_stamps_frames_and_intrinsics(bag, capfd):
    read = list(open_source(bag).frames())
    assert [frame.stamp_ns for frame in read] == [START_NS + k * 10**8 for k in range(4)]
    for frame, sent in zip(read, PICTURES, strict=True):
        np.testing.assert_array_equal(frame.image, sent)
        assert frame.frame_id == "camera" and not frame.problem
        assert frame.camera.matrix.ravel().tolist() == K and frame.camera.coefficients[:2] == (0.1, 0.02)
    assert capfd.readouterr().out == ""


def test_poses_accelerations_and_mounts_are_read(bag):
    poses = read_bag_poses(bag, "/odom")
    assert len(poses.stamps_ns) == 4 and poses.map_from_body[0].translation.tolist() == [1, 2, 3]
    assert read_bag_accelerations(bag, "/imu").accelerations[:, 2].tolist() == [9.8] * 4
    assert BagTf(bag).parent_of("camera") == "base_link"


def test_topics_are_those_of_ros_2_for_replay_and_copies(bag, caplog):
    with Bag(bag) as opened:
        topics = opened.topics()
        assert {topic: entry.count for topic, entry in topics.items()} == {
            "/camera/camera_info": 4,
            "/camera/image_raw": 4,
            "/imu": 4,
            "/odom": 4,
            "/secret": 4,
            "/tf_static": 1,
        }
        assert topics["/tf_static"].latched and opened.duration_s == pytest.approx(0.3)
        assert topics["/imu"].message_type == "sensor_msgs/msg/Imu"


@pytest.mark.parametrize("name", ["cut.bag", "walk.bag.active"])
def test_one_that_its_recorder_did_not_close_is_refused_with_what_mends_it(bag, tmp_path, name):
    (tmp_path / name).write_bytes(bag.read_bytes()[:-600])
    with pytest.raises(RelocError, match=r"is a ROS 1 bag; .*first: rosbag reindex"):
        open_source(tmp_path / name)
