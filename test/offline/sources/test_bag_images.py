import cv2
import numpy as np
import pytest
from image_bag import PERIOD_NS, RECORDED_AFTER_NS, START_NS, write_image_bag

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.bag import is_bag
from reloc_ros.offline.sources.bag_images import BagTopic
from reloc_ros.offline.sources.gather import gather
from reloc_ros.offline.sources.open_source import open_source
from reloc_ros.offline.workspace import fingerprint

pytest.importorskip("rosbags")
BGR = [np.full((24, 32, 3), (40, 90, 10 * i), np.uint8) for i in range(4)]
GREY = [picture[:, :, 2].copy() for picture in BGR]
CAMERA = Camera("brown", 32, 24, 30.0, 31.0, 15.5, 11.5, (0.1, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
RAW, COMPRESSED = "/camera/image_raw", "/camera/image_raw/compressed"


@pytest.mark.parametrize("mcap", [True, False], ids=["mcap", "sqlite3"])
@pytest.mark.parametrize("topic", [RAW, COMPRESSED])
def test_images_come_in_order_with_their_stamps(tmp_path, mcap, topic):
    bag = write_image_bag(tmp_path / "bag", {topic: BGR}, mcap=mcap)
    assert is_bag(bag) and len(BagTopic(bag).names) == 4
    assert BagTopic(bag).topic == topic
    read = list(BagTopic(bag).frames())
    assert [image.stamp_ns for image in read] == [START_NS + k * PERIOD_NS for k in range(4)]
    assert {image.recorded_ns - image.stamp_ns for image in read} == {RECORDED_AFTER_NS}
    assert {image.frame_id for image in read} == {"camera_optical"}
    for image, sent in zip(read, BGR, strict=True):
        assert np.abs(image.image.astype(int) - sent).max() <= (3 if topic == COMPRESSED else 0)


def test_a_single_file_of_a_bag_is_a_bag(tmp_path):
    for mcap, suffix in ((True, ".mcap"), (False, ".db3")):
        bag = write_image_bag(tmp_path / suffix[1:], {RAW: BGR}, mcap=mcap)
        file = next(file for file in bag.iterdir() if file.suffix == suffix)
        assert is_bag(file) and len(list(BagTopic(file, RAW).frames())) == 4


def test_grey_images_become_three_channels(tmp_path):
    bag = write_image_bag(tmp_path / "bag", {RAW: GREY})
    for image, sent in zip(BagTopic(bag, RAW).frames(), GREY, strict=True):
        np.testing.assert_array_equal(image.image, np.repeat(sent[:, :, None], 3, axis=2))


def test_a_header_without_a_time_goes_by_when_it_was_recorded(tmp_path):
    bag = write_image_bag(tmp_path / "bag", {RAW: BGR}, stamped=False)
    assert [image.stamp_ns for image in BagTopic(bag, RAW).frames()] == [
        START_NS + k * PERIOD_NS + RECORDED_AFTER_NS for k in range(4)
    ]


def test_a_header_without_a_time_among_others_goes_by_their_clock(tmp_path, caplog):
    """Simulators leave some at zero, whose clock is not that of the recording."""
    bag = write_image_bag(tmp_path / "bag", {RAW: BGR}, unstamped=(0, 2))
    assert [image.stamp_ns for image in BagTopic(bag, RAW).frames()] == [
        START_NS + k * PERIOD_NS for k in range(4)
    ]
    assert caplog.text.count("some images have no time in their header") == 1


def test_one_camera_in_two_transports_needs_no_choice_and_two_cameras_do(tmp_path):
    one = write_image_bag(tmp_path / "one", {COMPRESSED: BGR, RAW: BGR})
    assert BagTopic(one).topic == RAW
    assert BagTopic(one, COMPRESSED).topic == COMPRESSED
    two = write_image_bag(tmp_path / "two", {"/left/image_raw": BGR, "/right/image_raw": BGR})
    with pytest.raises(RelocError, match=r"--topic one of /left/image_raw, /right/image_raw"):
        BagTopic(two)


def test_a_topic_that_is_not_there_or_has_no_images_is_refused(tmp_path):
    bag = write_image_bag(tmp_path / "bag", {RAW: BGR}, CAMERA)
    with pytest.raises(RelocError, match="/other is not in it; its image topics are /camera/image_raw"):
        BagTopic(bag, "/other")
    with pytest.raises(RelocError, match="holds sensor_msgs/msg/CameraInfo"):
        BagTopic(bag, "/camera/camera_info")
    none = write_image_bag(tmp_path / "none", {RAW: []}, CAMERA)
    with pytest.raises(RelocError, match="no topic of images"):
        BagTopic(none)


def test_a_message_that_is_no_picture_is_given_with_its_problem(tmp_path):
    empty = np.zeros((0, 0, 3), np.uint8)
    bag = write_image_bag(tmp_path / "bag", {RAW: [BGR[0], empty.reshape(1, 0, 3), BGR[1]]})
    read = list(BagTopic(bag, RAW).frames())
    assert [image.image is None for image in read] == [False, True, False]
    assert "0x1" in read[1].problem


def test_a_damaged_bag_is_refused_with_a_sentence(tmp_path):
    bag = write_image_bag(tmp_path / "bag", {RAW: BGR})
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    with pytest.raises(RelocError, match="cannot be read"):
        list(BagTopic(bag).frames())


def write_messages(path, kind: str, definition: str, messages, topic: str = "/camera/video"):
    """A topic of a type that rosbags does not know, of which nothing need be understood."""
    from rosbags.rosbag2 import StoragePlugin, Writer

    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection(topic, kind, msgdef=definition, rihs01="RIHS01_" + 64 * "0")
        for number, data in enumerate(messages):
            writer.write(topic, START_NS + number * PERIOD_NS, data)
    return path


@pytest.mark.parametrize(
    ("kind", "plugin"),
    [
        ("foxglove_msgs/msg/CompressedVideo", "foxglove"),
        ("ffmpeg_image_transport_msgs/msg/FFMPEGPacket", "ffmpeg"),
        ("theora_image_transport/msg/Packet", "theora"),
    ],
)
def test_topics_of_video_are_named_by_map_and_run_alike_with_what_to_do(tmp_path, kind, plugin):
    bag = write_messages(tmp_path / "bag", kind, "uint8[] data", [bytes(20)] * 3)
    for read in (
        lambda: open_source(bag),
        lambda: open_source(bag, "/camera/video"),
        lambda: gather([bag], tmp_path / "ws"),
    ):
        with pytest.raises(RelocError, match=rf"/camera/video \({kind}\).*\({plugin}\).*republish"):
            read()


def test_video_beside_images_is_no_reason_to_refuse(tmp_path):
    from rosbags.rosbag2 import Reader

    bag = write_messages(tmp_path / "video", "foxglove_msgs/msg/CompressedVideo", "uint8[] data", [bytes(20)])
    images = write_image_bag(tmp_path / "images", {RAW: BGR})
    (tmp_path / "both").mkdir()
    (bag / "video.mcap").rename(tmp_path / "both" / "walk_0.mcap")
    (images / "images.mcap").rename(tmp_path / "both" / "walk_1.mcap")
    assert BagTopic(tmp_path / "both").topic == RAW
    with pytest.raises(RelocError, match="foxglove"):
        BagTopic(tmp_path / "both", "/camera/video")
    with Reader(tmp_path / "both" / "walk_0.mcap") as untouched:
        assert untouched.message_count == 1


def serialized(kind: str, **fields) -> bytes:
    from rosbags.typesys import Stores, get_typestore

    types = get_typestore(Stores.ROS2_JAZZY)
    stamp = types.types["builtin_interfaces/msg/Time"](1, 0)
    header = types.types["std_msgs/msg/Header"](stamp, "camera")
    return types.serialize_cdr(types.types[kind](header=header, **fields), kind)


def test_a_kind_of_image_that_is_not_read_is_refused_at_once(tmp_path):
    h264 = serialized("sensor_msgs/msg/CompressedImage", format="h264", data=np.arange(40, dtype=np.uint8))
    packed = {"height": 1, "width": 2, "is_bigendian": 0, "step": 4, "data": np.zeros(4, np.uint8)}
    jpeg = serialized("sensor_msgs/msg/Image", encoding="jpeg", **packed)
    for name, kind, data, words in (
        ("video", "sensor_msgs/msg/CompressedImage", h264, r"video \(h264\).*republish"),
        ("packed", "sensor_msgs/msg/Image", jpeg, "'jpeg' is not supported; use one of"),
    ):
        bag = write_messages(tmp_path / name, kind, "uint8 x", [data] * 4, "/camera")
        for read in (lambda bag=bag: open_source(bag), lambda bag=bag: gather([bag], tmp_path / "ws")):
            with pytest.raises(RelocError, match=rf"topic /camera of bag .*{words}"):
                read()


def test_damaged_first_images_say_nothing_of_the_others(tmp_path):
    good = serialized(
        "sensor_msgs/msg/CompressedImage", format="jpeg", data=cv2.imencode(".jpg", BGR[0])[1].ravel()
    )
    odd = serialized("sensor_msgs/msg/CompressedImage", format="jpeg", data=np.arange(40, dtype=np.uint8))
    bag = write_messages(
        tmp_path / "bag", "sensor_msgs/msg/CompressedImage", "uint8 x", [odd, good[:-9], good], "/camera"
    )
    assert [frame.image is None for frame in BagTopic(bag).frames()] == [True, True, False]


def test_a_log_beside_a_file_that_grows_makes_other_frames(tmp_path):
    """Frames that are kept are those of the same images."""
    bag = write_image_bag(tmp_path / "bag", {RAW: BGR}, mcap=False) / "bag.db3"
    bag.with_name("bag.db3-wal").write_bytes(b"not yet")
    before = fingerprint(BagTopic(bag).key)
    bag.with_name("bag.db3-wal").write_bytes(b"not yet all")
    assert fingerprint(BagTopic(bag).key) != before
