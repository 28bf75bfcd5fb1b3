import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import yaml
from table_bundle import camera_from_map, make_table_bundle

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.localizer import NO_KEYPOINTS, Keypoints, Localized, Lost, LostReason
from reloc_ros.offline.sources.frame import Frame

rosbags = pytest.importorskip("rosbags")
from mcap.reader import make_reader  # noqa: E402
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime  # noqa: E402
from rosbags.rosbag2 import Reader, StoragePlugin, Writer  # noqa: E402
from rosbags.typesys import Stores, get_types_from_msg, get_typestore  # noqa: E402

from reloc_ros.offline.running.bag_tf import BagTf  # noqa: E402
from reloc_ros.offline.running.bag_writer import bag_writer  # noqa: E402
from reloc_ros.offline.running.ros_messages import STATUS_DEFINITION, PoseMessages, typestore  # noqa: E402

START_NS = 1_700_000_000_123_456_789
POSE = SE3.from_rotation_vector([0.1, 0.2, 0.3], [1, 2, 3])
UNTURNED = SE3.identity()
COVARIANCE = np.arange(36.0).reshape(6, 6)
LOST = Lost(LostReason.WEAK_EVIDENCE, "too little", NO_KEYPOINTS, np.zeros(0, dtype=bool), {"total": 3.0})
NEVER = QosTime(2147483647, 4294967295)
LATCHED = Qos(
    QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL,
    NEVER, NEVER, QosLiveliness.AUTOMATIC, NEVER, False,
)  # fmt: skip
OURS = ["/reloc/pose", "/reloc/pose_with_covariance", "/reloc/status", "/tf"]


def found(camera_from_map: SE3 = POSE) -> Localized:
    keypoints = Keypoints(np.arange(9), np.zeros((9, 2)), np.ones(9), np.ones(9))
    return Localized(camera_from_map, COVARIANCE, keypoints, np.arange(9) < 8, 1.5, {"total": 12.0})


def frame(index: int, frame_id: str = "camera") -> Frame:
    stamp_ns = START_NS + index * 10**8
    return Frame(str(index), None, stamp_ns=stamp_ns, recorded_ns=stamp_ns + 5_000_000, frame_id=frame_id)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_table_bundle(tmp_path_factory.mktemp("bundle") / "table.bundle")


@pytest.fixture
def messages(bundle) -> PoseMessages:
    return PoseMessages(typestore(), bundle, "onnx (CPU)")


def read(path: Path) -> list[tuple[str, int, object]]:
    """Topic, time and message of all, by types that stand in the bag itself."""
    store = get_typestore(Stores.EMPTY)
    with Reader(path) as reader:
        for connection in reader.connections:
            store.register(get_types_from_msg(connection.msgdef.data, connection.msgtype))
        return [(c.topic, t, store.deserialize_cdr(data, c.msgtype)) for c, t, data in reader.messages()]


@pytest.mark.parametrize("name", ["out.mcap", "out.db3", "out"])
def test_a_bag_is_read_by_rosbags_with_poses_stamped_as_the_images(tmp_path, messages, name):
    with bag_writer(tmp_path / name, messages) as write:
        write(frame(0), found())
        write(frame(1), LOST)
        write(frame(2), found())
    assert [path.name for path in tmp_path.iterdir()] == [name]
    written = read(tmp_path / name)
    by_topic = {topic: [(t, m) for wanted, t, m in written if wanted == topic] for topic in OURS}
    assert [len(by_topic[topic]) for topic in OURS] == [2, 2, 3, 2]
    for index, (time_ns, pose) in zip((0, 2), by_topic["/reloc/pose"], strict=True):
        stamp = pose.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == START_NS + index * 10**8
        assert time_ns == START_NS + index * 10**8 + 5_000_000 and pose.header.frame_id == "map"
        assert_is_pose(pose.pose.position, pose.pose.orientation)
    (_, with_covariance), _ = by_topic["/reloc/pose_with_covariance"]
    assert with_covariance.pose.covariance.tolist() == COVARIANCE.ravel().tolist()
    assert_is_pose(with_covariance.pose.pose.position, with_covariance.pose.pose.orientation)
    (_, tf), _ = by_topic["/tf"]
    (transform,) = tf.transforms
    assert (transform.header.frame_id, transform.child_frame_id) == ("map", "camera")
    assert_is_pose(transform.transform.translation, transform.transform.rotation)
    assert transform.header.stamp.nanosec == START_NS % 10**9


def assert_is_pose(position, orientation) -> None:
    np.testing.assert_allclose([position.x, position.y, position.z], POSE.center)
    quaternion = [orientation.w, orientation.x, orientation.y, orientation.z]
    again = SE3.from_quaternion_wxyz(quaternion, POSE.center).inverse()
    np.testing.assert_allclose(again.rotation, POSE.rotation, atol=1e-12)


def test_the_status_says_what_became_of_each_image(tmp_path, messages):
    with bag_writer(tmp_path / "out.mcap", messages) as write:
        write(frame(0), found())
        write(frame(1), LOST)
        write(frame(2, frame_id=""), found())
    good, lost, nameless = (
        message for topic, _, message in read(tmp_path / "out.mcap") if topic == "/reloc/status"
    )
    assert (good.state, good.pose_published, good.reason, good.transform) == (2, True, "", "")
    assert (good.keypoints, good.inliers, good.backend) == (9, 8, "onnx (CPU)")
    assert good.header.frame_id == "camera" and good.map_frame == "map" and good.scale_known
    assert good.latency_s == pytest.approx(0.012)
    assert (lost.state, lost.pose_published, lost.reason, lost.detail) == (
        0,
        False,
        "weak_evidence",
        "too little",
    )
    assert np.isnan(lost.reprojection_rms_px)
    assert (lost.frames_received, lost.frames_localized, lost.frames_lost) == (2, 1, 1)
    assert nameless.transform == "no_frame"


def test_the_status_type_is_the_package_s_own():
    own = (Path(__file__).parents[3] / "msg" / "RelocStatus.msg").read_text()
    lines = (line.partition("#")[0].split() for line in own.splitlines())
    assert [line.split() for line in STATUS_DEFINITION.splitlines()] == [line for line in lines if line]


def write_original(
    path: Path,
    child: str = "base",
    topic: str = "/imu",
    parent: str = "robot",
    parent_from_child: SE3 = UNTURNED,
) -> list[tuple[str, int, bytes]]:
    """Ten messages of a type that rosbags knows, ten of one that nobody knows, and a mount."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 2), parent)
    zero = types["geometry_msgs/msg/Vector3"](*parent_from_child.translation.tolist())
    w, *vector = parent_from_child.quaternion_wxyz.tolist()
    turn = types["geometry_msgs/msg/Quaternion"](*vector, w)
    mount = types["geometry_msgs/msg/TransformStamped"](
        header, child, types["geometry_msgs/msg/Transform"](zero, turn)
    )
    written = []
    with Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:

        def put(connection, time_ns: int, data: bytes) -> None:
            writer.write(connection, time_ns, data)
            written.append((connection.topic, time_ns, bytes(data)))

        static = writer.add_connection(
            "/tf_static", "tf2_msgs/msg/TFMessage", typestore=store, offered_qos_profiles=[LATCHED]
        )
        known = writer.add_connection(topic, "std_msgs/msg/Header", typestore=store)
        unknown = writer.add_connection("/x", "a/msg/B", msgdef="uint8 x", rihs01="RIHS01_" + 64 * "3")
        message = types["tf2_msgs/msg/TFMessage"]([mount])
        put(static, START_NS, store.serialize_cdr(message, "tf2_msgs/msg/TFMessage"))
        for index in range(10):
            time_ns = START_NS + index * 30_000_000
            put(known, time_ns, store.serialize_cdr(header, "std_msgs/msg/Header"))
            put(unknown, time_ns + 1, bytes([0, 1, 0, 0, index]))
    return written


@pytest.mark.parametrize("name", ["out.mcap", "out"])
def test_a_copied_bag_is_there_byte_for_byte_and_in_order(tmp_path, messages, name):
    original = write_original(tmp_path / "original")
    with bag_writer(tmp_path / name, messages, tmp_path / "original") as write:
        for index in range(3):
            write(frame(index), found())
    with Reader(tmp_path / name) as reader:
        mixed = [(c.topic, time_ns, bytes(data)) for c, time_ns, data in reader.messages()]
        kinds = {c.topic: c for c in reader.connections}
    assert [message for message in mixed if message[0] not in OURS] == original
    assert [time_ns for _, time_ns, _ in mixed] == sorted(time_ns for _, time_ns, _ in mixed)
    assert kinds["/tf_static"].ext.offered_qos_profiles[0].durability == QosDurability.TRANSIENT_LOCAL
    assert kinds["/x"].msgdef.data == "uint8 x"
    assert sum(topic == "/tf" for topic, _, _ in mixed) == 3


@pytest.mark.parametrize("name", ["out.mcap", "out.db3", "out"])
@pytest.mark.parametrize("copy", [False, True], ids=["alone", "copied"])
def test_qos_is_written_as_humble_reads_it(tmp_path, messages, name, copy):
    """As a string of YAML with numbers; from metadata version 9 on it is a list with names."""
    write_original(tmp_path / "original")
    with bag_writer(tmp_path / name, messages, tmp_path / "original" if copy else None) as write:
        write(frame(0), found())
    path = tmp_path / name
    if path.is_dir():
        metadata = yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
        assert metadata["version"] == 8
        topics = [entry["topic_metadata"] for entry in metadata["topics_with_message_count"]]
        written = {topic["name"]: topic["offered_qos_profiles"] for topic in topics}
        path = path / "out.db3"
    elif path.suffix == ".mcap":
        with path.open("rb") as stream:
            channels = make_reader(stream).get_summary().channels.values()
        written = {channel.topic: channel.metadata["offered_qos_profiles"] for channel in channels}
    if path.suffix == ".db3":
        with contextlib.closing(sqlite3.connect(path)) as database:
            stored = dict(database.execute("SELECT name, offered_qos_profiles FROM topics"))
        assert name != "out" or stored == written
        written = stored
    for topic, depth, durability in [("/reloc/pose", 10, 2), ("/reloc/status", 1, 1)] + [
        ("/tf_static", 1, 1)
    ] * copy:
        (profile,) = yaml.safe_load(written[topic])
        assert (profile["history"], profile["reliability"]) == (1, 1)
        assert (profile["depth"], profile["durability"]) == (depth, durability)


def test_a_bag_that_its_recorder_left_in_pieces_is_copied_whole(tmp_path, messages):
    """Connections of several files have the same numbers."""
    (tmp_path / "walk").mkdir()
    originals = []
    for part, topic in enumerate(["/imu", "/gnss"]):
        originals += write_original(tmp_path / str(part), topic=topic)
        (tmp_path / str(part) / f"{part}.db3").rename(tmp_path / "walk" / f"walk_{part}.db3")
    with bag_writer(tmp_path / "out.mcap", messages, tmp_path / "walk") as write:
        write(frame(0), found())
    with Reader(tmp_path / "out.mcap") as reader:
        copied = [(c.topic, time_ns, bytes(data)) for c, time_ns, data in reader.messages()]
    assert sorted(m for m in copied if m[0] not in OURS) == sorted(originals)


def test_a_camera_that_hangs_on_something_in_the_copied_bag_gets_no_second_parent(tmp_path, messages, caplog):
    write_original(tmp_path / "original", child="camera")
    with bag_writer(tmp_path / "out.mcap", messages, tmp_path / "original") as write:
        write(frame(0), found())
        write(frame(1), found())
    written = [(topic, message) for topic, _, message in read_known(tmp_path / "out.mcap") if topic in OURS]
    assert "/tf" not in [topic for topic, _ in written]
    assert {m.transform for topic, m in written if topic == "/reloc/status"} == {"parent_present"}
    assert caplog.text.count("camera hangs on robot") == 1


def test_slashes_before_frames_as_ros_1_wrote_them_hide_no_parent(tmp_path, messages, caplog):
    write_original(tmp_path / "original", child="/camera", parent="/robot")
    with bag_writer(tmp_path / "out.mcap", messages, tmp_path / "original") as write:
        write(frame(0), found())
    assert "camera hangs on robot" in caplog.text
    assert "/tf" not in [topic for topic, _, _ in read(tmp_path / "out.mcap")]


@pytest.mark.parametrize("copy", [False, True], ids=["alone", "copied"])
def test_a_robot_that_would_lie_on_its_side_is_told_of(tmp_path, messages, caplog, copy):
    """The camera's frame is a body frame, x forward, as Gazebo names it; the bag has no other."""
    mount = SE3.from_rotation_vector([0, 0.3, 0], [0.3, 0.0, 0.8])
    original = tmp_path / "original"
    write_original(original, child="camera", parent="/base_link", parent_from_child=mount)
    copied = original if copy else None
    with bag_writer(tmp_path / "out.mcap", messages, copied, tf=BagTf(original)) as write:
        for index in range(3):
            write(frame(index), found(camera_from_map(index)))
    (told,) = [r.getMessage() for r in caplog.records if "off level" in r.getMessage()]
    assert told.startswith("in 3 of 3 poses, base_link lies ")
    assert "body frame" in told and "--camera-frame" in told
    caplog.clear()
    with bag_writer(
        tmp_path / "again.mcap", messages, copied, tf=BagTf(original), camera_frame="optical"
    ) as write:
        write(frame(0), found(camera_from_map(0)))
    assert not caplog.text
    (transform,) = next(m for topic, _, m in read_known(tmp_path / "again.mcap") if topic == "/tf").transforms
    assert transform.child_frame_id == "optical"


def test_a_robot_that_lies_level_is_not_told_of(tmp_path, messages, caplog):
    optical = SE3.from_rotation_vector(np.full(3, 2 * np.pi / 3 / np.sqrt(3)) * [-1, 1, -1], [0.3, 0, 0.8])
    write_original(tmp_path / "original", child="camera", parent="base_link", parent_from_child=optical)
    with bag_writer(tmp_path / "out.mcap", messages, tf=BagTf(tmp_path / "original")) as write:
        write(frame(0), found(camera_from_map(0)))
    assert not caplog.text


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_a_mount_that_is_nowhere_is_none(tmp_path, number):
    nowhere = SE3(np.eye(3), np.array([number, 0.0, 0.8]))
    write_original(tmp_path / "original", child="camera", parent="base_link", parent_from_child=nowhere)
    assert BagTf(tmp_path / "original").mount_of("camera") is None


def read_known(path: Path) -> list[tuple[str, int, object]]:
    store = typestore()
    with Reader(path) as reader:
        known = [c for c in reader.connections if c.msgtype in store.types]
        return [(c.topic, t, store.deserialize_cdr(data, c.msgtype)) for c, t, data in reader.messages(known)]


def test_bags_that_would_be_replaced_or_mixed_up_are_refused(tmp_path, messages):
    write_original(tmp_path / "original", topic="/reloc/pose")
    with pytest.raises(RelocError, match="never replaced"), bag_writer(tmp_path / "original", messages):
        pass
    with (
        pytest.raises(RelocError, match="has the topic /reloc/pose already"),
        bag_writer(tmp_path / "out.mcap", messages, tmp_path / "original"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["original"]


@pytest.mark.parametrize("name", ["out.mcap", "out"])
def test_a_run_that_is_stopped_leaves_no_bag(tmp_path, messages, name):
    with pytest.raises(KeyboardInterrupt), bag_writer(tmp_path / name, messages) as write:
        write(frame(0), found())
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_damage_of_the_copied_bag_is_one_sentence(tmp_path, messages):
    write_original(tmp_path / "original")
    (tmp_path / "original" / "original.db3").write_bytes(b"SQLite format 3\0 and no more")
    with (
        pytest.raises(RelocError, match="original cannot be read"),
        bag_writer(tmp_path / "out.mcap", messages, tmp_path / "original"),
    ):
        pass
