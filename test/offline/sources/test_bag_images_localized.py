import pytest
from image_bag import PERIOD_NS, RECORDED_AFTER_NS, START_NS, write_image_bag
from table_bundle import CAMERA, camera_from_map, make_table_bundle, view
from walks import AWAY, WALK, read_tum

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error
from reloc_ros.io.bag import Bag
from reloc_ros.localizer import Localizer
from reloc_ros.offline.running.localize_source import localize_source
from reloc_ros.offline.running.output_files import Outputs
from reloc_ros.offline.running.overlay import ArContent
from reloc_ros.offline.sources.open_source import open_source

pytest.importorskip("rosbags")
from rosbags.rosbag2 import Reader

from reloc_ros.offline.running.ros_messages import typestore

VIEWS = [view(index) for index in WALK]
TOPIC = "/camera/image_raw"


@pytest.fixture(scope="module")
def localizer(tmp_path_factory) -> Localizer:
    return Localizer.from_bundle(
        make_table_bundle(tmp_path_factory.mktemp("b") / "table.bundle").path, "onnx"
    )


@pytest.mark.parametrize("topic", [TOPIC, TOPIC + "/compressed"])
@pytest.mark.parametrize("mcap", [True, False], ids=["mcap", "sqlite3"])
@pytest.mark.parametrize("single", [True, False], ids=["file", "folder"])
def test_images_come_with_stamps_frame_and_intrinsics(tmp_path, topic, mcap, single):
    path = write_image_bag(tmp_path / "bag", {topic: VIEWS}, CAMERA, mcap=mcap)
    source = open_source(next(path.glob("bag.*")) if single else path)
    assert source.rate_hz == pytest.approx(10) and len(source.names) == len(WALK)
    frames = list(source.frames())
    assert [frame.name for frame in frames] == list(source.names)
    assert [round(frame.image.mean() / 10) for frame in frames] == list(WALK)
    assert [frame.stamp_ns for frame in frames] == [START_NS + i * PERIOD_NS for i in range(len(WALK))]
    assert all(frame.recorded_ns == frame.stamp_ns + RECORDED_AFTER_NS for frame in frames)
    assert {frame.frame_id for frame in frames} == {"camera_optical"}
    assert {(frame.camera.width, frame.camera.fx) for frame in frames} == {(CAMERA.width, CAMERA.fx)}


def test_intrinsics_of_the_user_make_those_of_the_bag_unneeded(tmp_path):
    path = write_image_bag(tmp_path / "bag", {TOPIC: VIEWS[:2]})
    with pytest.raises(RelocError, match=f"no camera_info for {TOPIC}; give the intrinsics with --camera"):
        open_source(path)
    assert next(open_source(path, needs_camera=False).frames()).camera is None


def test_bags_without_images_or_with_two_cameras_are_refused(tmp_path):
    path = write_image_bag(tmp_path / "none", {}, CAMERA)
    with pytest.raises(RelocError, match="has no topic of images"):
        open_source(path)
    path = write_image_bag(tmp_path / "two", {"/left/image": VIEWS[:2], "/right/image": VIEWS[:3]}, CAMERA)
    with pytest.raises(RelocError, match="--topic one of /left/image, /right/image"):
        open_source(path)
    assert len(open_source(path, "/right/image").names) == 3


@pytest.mark.parametrize("name", ["out.mcap", "out"])
def test_a_bag_gives_a_bag_and_is_lost_exactly_where_it_looks_away(localizer, tmp_path, name):
    path = write_image_bag(tmp_path / "bag", {TOPIC: VIEWS}, CAMERA)
    source = open_source(path)
    outputs = Outputs(tmp_path / "p.json", tmp_path / "p.tum", tmp_path / "o.mp4", tmp_path / name, copy=True)
    outputs.check(path, localizer.bundle.path)
    tally = localize_source(
        localizer, source, outputs.sinks(localizer.bundle, source, "onnx", ArContent(), 5.0)
    )
    assert (tally.images, tally.localized) == (len(WALK), len(WALK) - len(AWAY))
    found = [(i, index) for i, index in enumerate(WALK) if index]
    stamps = [START_NS + i * PERIOD_NS for i, _ in found]
    assert list(read_tum(tmp_path / "p.tum")) == [f"{s // 10**9}.{s % 10**9:09d}" for s in stamps]
    store = typestore()
    with Reader(tmp_path / name) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
        poses = [c for c in reader.connections if c.topic == "/reloc/pose"]
        messages = [store.deserialize_cdr(data, c.msgtype) for c, _, data in reader.messages(poses)]
    assert counts == {
        TOPIC: len(WALK),
        "/camera/camera_info": 1,
        "/reloc/pose": len(found),
        "/reloc/pose_with_covariance": len(found),
        "/reloc/status": len(WALK),
        "/tf": len(found),
    }
    for message, stamp_ns, (_, index) in zip(messages, stamps, found, strict=True):
        assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == stamp_ns
        position, turn = message.pose.position, message.pose.orientation
        pose = SE3.from_quaternion_wxyz(
            [turn.w, turn.x, turn.y, turn.z], [position.x, position.y, position.z]
        ).inverse()
        assert center_error(pose, camera_from_map(index)) < 0.02


def test_a_bag_that_breaks_off_gives_what_was_read_before(localizer, tmp_path, monkeypatch, caplog):
    path = write_image_bag(tmp_path / "bag", {TOPIC: VIEWS}, CAMERA)
    source = open_source(path)
    whole = Bag.messages

    def broken(*arguments):
        for index, raw in enumerate(whole(*arguments)):
            if index == 4:
                raise RelocError("the bag cannot be read: it is cut")
            yield raw

    monkeypatch.setattr(Bag, "messages", broken)
    assert localize_source(localizer, source, []).images == 4
    assert "what was read before is used: the bag cannot be read: it is cut" in caplog.text


def test_an_image_that_cannot_be_decoded_is_a_frame_with_the_reason(tmp_path):
    path = write_image_bag(tmp_path / "bag", {TOPIC + "/compressed": VIEWS[:3]}, CAMERA)
    for file in path.glob("*.mcap"):
        data = bytearray(file.read_bytes())
        second = data.index(b"\xff\xd8\xff", data.index(b"\xff\xd8\xff") + 3)
        data[second : second + 3] = b"abc"
        file.write_bytes(bytes(data))
    problems = [frame.problem for frame in open_source(path).frames()]
    assert [bool(problem) for problem in problems] == [False, True, False]
