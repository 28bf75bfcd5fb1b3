"""Bags as recorders leave them that were killed, or wrote without indexes: all in them is read, or it is said."""

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from image_bag import PERIOD_NS, START_NS, write_image_bag

from reloc_ros.errors import RelocError
from reloc_ros.io import bag_files
from reloc_ros.io.bag import Bag, is_bag

pytest.importorskip("rosbags")
pytest.importorskip("mcap")
import zstandard
from mcap.reader import NonSeekingReader
from mcap.writer import CompressionType, IndexType, Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as BagWriter
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.typesys import Stores, get_typestore

TOPIC = "/camera/image_raw"
PICTURES = [np.full((240, 320, 3), (40, 90, 10 * i), np.uint8) for i in range(10)]
NO_INDEX = IndexType.ALL & ~IndexType.MESSAGE


def stamps(path: Path) -> list[int]:
    """When the images of a bag were recorded, in periods since its start."""
    with Bag(path) as bag:
        told = sum(topic.count for topic in bag.topics().values())
        read = [(raw.stamp_ns - START_NS) // PERIOD_NS for raw in bag.messages()]
    assert told == len(read)
    return read


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in folder.iterdir()}


def left_by_a_killed_recorder(tmp_path: Path, mode: str) -> Path:
    """A sqlite3 bag of ten images, and ten that were put in the log beside it, or begun and not finished."""
    source = write_image_bag(tmp_path / "made", {TOPIC: PICTURES}, mcap=False)
    recorder = sqlite3.connect(source / "made.db3", isolation_level=None)
    recorder.execute(f"PRAGMA journal_mode={mode}")
    recorder.execute("PRAGMA wal_autocheckpoint=0")
    recorder.execute("PRAGMA cache_size=5")
    if mode == "DELETE":
        recorder.execute("BEGIN")
        recorder.execute("UPDATE messages SET topic_id = 7 WHERE timestamp % 3 = 0")
    recorder.execute(
        "INSERT INTO messages(topic_id, timestamp, data) "
        f"SELECT topic_id, timestamp + {10 * PERIOD_NS}, data FROM messages"
    )
    shutil.copytree(source, tmp_path / "killed")  # before the recorder closes it
    recorder.close()
    return tmp_path / "killed"


@pytest.mark.parametrize("as_folder", [True, False], ids=["folder", "file"])
@pytest.mark.parametrize(("mode", "count"), [("WAL", 20), ("DELETE", 10)])
def test_what_sqlite_keeps_beside_a_bag_is_heeded(tmp_path, caplog, mode, count, as_folder):
    """A transaction that was not finished is as if it had not begun."""
    folder = left_by_a_killed_recorder(tmp_path, mode)
    before = contents(folder)
    assert len(before) >= 3
    assert stamps(folder if as_folder else folder / "made.db3") == list(range(count))
    assert contents(folder) == before
    assert "was not closed by its recorder" in caplog.text


def test_a_bag_that_changes_while_it_is_copied_is_refused(tmp_path, monkeypatch):
    folder = left_by_a_killed_recorder(tmp_path, "WAL")
    copyfile = shutil.copyfile

    def recorded_meanwhile(source, target):
        copyfile(source, target)
        with (folder / "made.db3-wal").open("ab") as log:
            log.write(bytes(100))

    monkeypatch.setattr(shutil, "copyfile", recorded_meanwhile)
    with pytest.raises(RelocError, match="is being written to; stop the recorder"):
        Bag(folder / "made.db3")


def test_no_room_for_a_copy_is_said_with_what_to_do(tmp_path, monkeypatch):
    folder = left_by_a_killed_recorder(tmp_path, "WAL")

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(RelocError, match=r"without a copy in .*No space left.*TMPDIR"):
        Bag(folder / "made.db3")


def test_copies_go_when_the_process_ends(tmp_path):
    folder = left_by_a_killed_recorder(tmp_path, "WAL")
    (tmp_path / "tmp").mkdir()
    code = (
        "import os, pathlib, sys; from reloc_ros.io.bag import Bag; Bag(pathlib.Path(sys.argv[1])); "
        "print(len(os.listdir(os.environ['TMPDIR'])))"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    ran = subprocess.run(
        [sys.executable, "-c", code, folder], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["1"]
    assert not list((tmp_path / "tmp").iterdir())


def rewritten(source: Path, target: Path, swapped: bool = False, profile: str = "ros2", **options) -> Path:
    """The same messages in chunks of one image, with the given options of mcap's writer."""
    with source.open("rb") as stream:
        messages = list(NonSeekingReader(stream).iter_messages())
    if swapped:
        messages[3:5] = messages[4], messages[3]
    with target.open("wb") as stream:
        writer = Writer(stream, chunk_size=200_000, **{"compression": CompressionType.NONE} | options)
        writer.start(profile)
        schema, channel, _ = messages[0]
        kind = writer.register_schema(schema.name, schema.encoding, schema.data)
        topic = writer.register_channel(channel.topic, "cdr", kind, channel.metadata)
        for *_, message in messages:
            writer.add_message(topic, message.log_time, message.data, message.publish_time)
        writer.finish()
    return target


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    bag = write_image_bag(tmp_path_factory.mktemp("whole") / "bag", {TOPIC: PICTURES})
    return bag / "bag.mcap"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": CompressionType.LZ4, "index_types": NO_INDEX},
        {"compression": CompressionType.ZSTD, "index_types": NO_INDEX},
        {"index_types": NO_INDEX},
        {"index_types": IndexType.NONE},
        {"index_types": IndexType.NONE, "swapped": True},
        {"index_types": NO_INDEX, "use_statistics": False},
        {"use_chunking": False},
        {"use_chunking": False, "swapped": True},
        {"repeat_channels": False},
        {"repeat_channels": False, "repeat_schemas": False},
        {"use_statistics": False},
        {"profile": ""},
    ],
    ids=str,
)
def test_what_mcap_leaves_to_choice_loses_no_message(tmp_path, whole, caplog, options):
    file = rewritten(whole, tmp_path / "bag.mcap", **options)
    assert stamps(file) == list(range(10))
    assert not caplog.text


@pytest.mark.parametrize("options", [{}, {"use_chunking": False}, {"index_types": NO_INDEX}], ids=str)
def test_an_mcap_without_its_end_is_read_as_far_as_it_goes_and_that_is_said(tmp_path, whole, caplog, options):
    file = rewritten(whole, tmp_path / "bag.mcap", **options)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 3 // 4])
    read = stamps(file)
    assert read == list(range(len(read))) and 5 <= len(read) < 10
    assert f"its end is missing): its first {len(read)} messages are read" in caplog.text
    file.write_bytes(data[:-8])
    assert stamps(file) == list(range(10))
    file.write_bytes(data[: len(data) * 3 // 4] + bytes(100_000))  # as a disk is left that lost its power
    assert stamps(file) == read


def test_an_mcap_with_nothing_in_it_that_can_be_read_is_refused(tmp_path, whole):
    (tmp_path / "bag.mcap").write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(RelocError, match=r"bag\.mcap cannot be read: its end is missing"):
        Bag(tmp_path / "bag.mcap")


def test_topics_that_are_none_of_ros_2_are_left_out_and_named(tmp_path, whole, caplog):
    file = tmp_path / "mixed.mcap"
    with whole.open("rb") as source, file.open("wb") as target:
        writer = Writer(target)
        writer.start("ros2")
        foreign = writer.register_channel("/web", "json", writer.register_schema("x", "jsonschema", b"{}"))
        topic = 0
        for schema, channel, message in NonSeekingReader(source).iter_messages():
            topic = topic or writer.register_channel(
                channel.topic, "cdr", writer.register_schema(schema.name, schema.encoding, schema.data)
            )
            writer.add_message(topic, message.log_time, message.data, message.publish_time)
            writer.add_message(foreign, message.log_time, b"{}", message.publish_time)
        writer.finish()
    assert stamps(file) == list(range(10))
    assert caplog.text.count("topic /web is left out") == 1


def killed_folder(tmp_path: Path, whole: Path) -> Path:
    """Two files of a recording, the second one cut off, and a third that was just begun."""
    folder = tmp_path / "walk"
    folder.mkdir()
    shutil.copy(whole, folder / "walk_0.mcap")
    later = write_image_bag(tmp_path / "later", {TOPIC: PICTURES}, start_ns=START_NS + 10 * PERIOD_NS)
    cut = rewritten(later / "later.mcap", folder / "walk_1.mcap")
    cut.write_bytes(cut.read_bytes()[:-100_000])
    (folder / "walk_2.mcap").touch()
    return folder


def test_a_folder_without_metadata_is_read_from_its_files(tmp_path, whole, caplog):
    folder = killed_folder(tmp_path, whole)
    assert is_bag(folder)
    read = stamps(folder)
    assert read == list(range(len(read))) and len(read) == 19
    assert "has no metadata.yaml" in caplog.text
    assert (
        "walk_1.mcap is damaged or was not closed" in caplog.text
        and "walk_2.mcap cannot be read" in caplog.text
    )
    with Bag(folder) as bag:
        assert bag.start_ns == START_NS + 5_000_000 and bag.duration_s == pytest.approx(1.8)


@pytest.mark.parametrize(
    "broken", ["", "rosbag2_bagfile_information: [", "rosbag2_bagfile_information: {version: 99}"]
)
def test_broken_metadata_is_told_of_and_the_files_are_read(tmp_path, whole, caplog, broken):
    (tmp_path / "walk").mkdir()
    shutil.copy(whole, tmp_path / "walk" / "walk_0.mcap")
    (tmp_path / "walk" / "metadata.yaml").write_text(broken)
    assert stamps(tmp_path / "walk") == list(range(10))
    assert "what else there is of the bag is read" in caplog.text


def test_a_file_that_metadata_names_and_is_not_there_costs_only_itself(tmp_path, caplog):
    folder = write_image_bag(tmp_path / "walk", {TOPIC: PICTURES})
    text = (folder / "metadata.yaml").read_text()
    (folder / "metadata.yaml").write_text(text.replace("- walk.mcap", "- walk.mcap\n  - walk_1.mcap"))
    assert stamps(folder) == list(range(10))
    assert "walk_1.mcap" in caplog.text


def test_metadata_of_another_recording_is_no_empty_bag(tmp_path):
    folder = write_image_bag(tmp_path / "walk", {TOPIC: PICTURES})
    text = (folder / "metadata.yaml").read_text()
    (folder / "metadata.yaml").write_text(
        text.replace("type: sensor_msgs/msg/Image", "type: std_msgs/msg/Empty")
    )
    with pytest.raises(RelocError, match=r"announces 10 messages of .*and yields none.*move it away"):
        stamps(folder)


@pytest.mark.parametrize("column", ["name", "type"])
def test_a_topic_whose_name_or_type_is_no_text_is_damage(tmp_path, column):
    file = (
        write_image_bag(tmp_path / "walk", {TOPIC: PICTURES[:1], "/b": PICTURES[:1]}, mcap=False) / "walk.db3"
    )
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute(f"UPDATE topics SET {column} = x'80' WHERE id = 1")
    with pytest.raises(RelocError, match=r"walk\.db3 cannot be read: .*is no text"):
        Bag(file).topics()


def test_what_metadata_announces_too_much_is_said(tmp_path, caplog):
    folder = write_image_bag(tmp_path / "walk", {TOPIC: PICTURES})
    text = (folder / "metadata.yaml").read_text()
    (folder / "metadata.yaml").write_text(text.replace("message_count: 10", "message_count: 12"))
    with Bag(folder) as bag:
        assert len(list(bag.messages([TOPIC]))) == 10
    assert "announces 12 messages of /camera/image_raw, of which 10 can be read" in caplog.text


@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE])
@pytest.mark.parametrize("storage", StoragePlugin)
def test_compressed_files_are_read_with_and_without_metadata(tmp_path, mode, storage):
    store, kind = get_typestore(Stores.ROS2_JAZZY), "std_msgs/msg/String"
    writer = BagWriter(tmp_path / "walk", version=8, storage_plugin=storage)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        topic = writer.add_connection("/chatter", kind, typestore=store)
        for number in range(5):
            data = store.serialize_cdr(store.types[kind](data=str(number)), kind)
            writer.write(topic, START_NS + number, data)
    for _ in range(2):
        with Bag(tmp_path / "walk") as bag:
            assert [raw.decoded().data for raw in bag.messages()] == list("01234")
        (tmp_path / "walk" / "metadata.yaml").unlink(missing_ok=True)
    assert is_bag(tmp_path / "walk")
    (file,) = (tmp_path / "walk").iterdir()
    with Bag(file) as bag:
        assert is_bag(file) and len(list(bag.messages())) == 5
    if mode is CompressionMode.FILE:
        file.with_suffix("").write_bytes(zstandard.decompress(file.read_bytes(), 1 << 20))
        with Bag(tmp_path / "walk") as bag:  # beside what it was decompressed from
            assert len(list(bag.messages())) == 5


@pytest.mark.parametrize("described", [True, False])
def test_a_compressed_file_fills_no_disk(tmp_path, monkeypatch, described):
    writer = BagWriter(tmp_path / "walk", version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.FILE, CompressionFormat.ZSTD)
    with writer:
        writer.add_connection("/chatter", "std_msgs/msg/String", typestore=get_typestore(Stores.ROS2_JAZZY))
    if not described:
        (tmp_path / "walk" / "metadata.yaml").unlink()
    free = shutil.disk_usage(bag_files._scratch()).free
    monkeypatch.setattr(bag_files, "KEPT_FREE_BYTES", free + (1 << 40))
    with pytest.raises(
        RelocError, match=r"without a copy in .*: No space left on device; name a folder with more"
    ):
        Bag(tmp_path / "walk")


def test_files_of_several_recordings_are_not_taken_for_one(tmp_path, whole):
    for name in ("kitchen.mcap", "hall.mcap"):
        shutil.copy(whole, tmp_path / name)
    with pytest.raises(RelocError, match=r"several recordings \(hall, kitchen\); name one"):
        Bag(tmp_path)


def test_a_folder_of_photographs_with_a_bag_among_them_is_no_bag(tmp_path, whole):
    shutil.copy(whole, tmp_path / "walk.mcap")
    assert is_bag(tmp_path)
    (tmp_path / "photo.jpg").touch()
    assert not is_bag(tmp_path)
