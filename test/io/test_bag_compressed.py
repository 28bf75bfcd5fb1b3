"""Compressed bags of others: what they hold is not let into memory, nor onto a disk, beyond what bags have."""

import contextlib
import tracemalloc
from pathlib import Path

import pytest

from reloc_ros.errors import RelocError
from reloc_ros.io import bag_files
from reloc_ros.io.bag import Bag

pytest.importorskip("rosbags")
pytest.importorskip("mcap")
from mcap.records import Chunk
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, IndexType, Writer
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as BagWriter
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.typesys import Stores, get_typestore

START_NS = 1_500_000_000_000_000_000
LARGE = 20_000_000
"""For a message; compressed it is small."""
NO_INDEX = IndexType.ALL & ~IndexType.MESSAGE


@contextlib.contextmanager
def refused_in_little_memory(words: str):
    """Without ever holding what is compressed there."""
    tracemalloc.start()
    try:
        with pytest.raises(RelocError, match=words):
            yield
        assert tracemalloc.get_traced_memory()[1] < LARGE // 2
    finally:
        tracemalloc.stop()


def write_large_mcap(file: Path, compression: CompressionType, index_types: IndexType) -> Chunk:
    """One chunk with a large message."""
    with file.open("wb") as stream:
        writer = Writer(stream, chunk_size=1000, compression=compression, index_types=index_types)
        writer.start("ros2")
        schema = writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data")
        topic = writer.register_channel("/chatter", "cdr", schema)
        writer.add_message(topic, START_NS, bytes(LARGE), START_NS)
        writer.finish()
    with file.open("rb") as stream:
        (chunk,) = (r for r in StreamReader(stream, emit_chunks=True).records if isinstance(r, Chunk))
    return chunk


@pytest.mark.parametrize("lies", [False, True])
@pytest.mark.parametrize("index_types", [IndexType.ALL, NO_INDEX, IndexType.NONE], ids=str)
@pytest.mark.parametrize("compression", [CompressionType.LZ4, CompressionType.ZSTD])
def test_of_a_chunk_no_more_is_decompressed_than_it_announces_or_any_has(
    tmp_path, monkeypatch, compression, index_types, lies
):
    chunk = write_large_mcap(tmp_path / "a.mcap", compression, index_types)
    monkeypatch.setattr(bag_files, "MOST_BYTES_AT_ONCE", 2 * LARGE if lies else 100_000)
    if lies:
        around = (tmp_path / "a.mcap").read_bytes().split(chunk.data)
        size, lie = chunk.uncompressed_size.to_bytes(8, "little"), (256).to_bytes(8, "little")
        (tmp_path / "a.mcap").write_bytes(chunk.data.join(part.replace(size, lie) for part in around))
    words = f"holds more than the {256 if lies else 100_000} bytes"
    with refused_in_little_memory(words), Bag(tmp_path / "a.mcap") as bag:
        list(bag.messages())


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("storage", StoragePlugin)
def test_of_a_message_no_more_is_decompressed_than_any_has(tmp_path, monkeypatch, storage, described):
    writer = BagWriter(tmp_path / "walk", version=8, storage_plugin=storage)
    writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        kind = "std_msgs/msg/String"
        topic = writer.add_connection("/chatter", kind, typestore=get_typestore(Stores.ROS2_JAZZY))
        writer.write(topic, START_NS, bytes(LARGE))
    if not described:
        (tmp_path / "walk" / "metadata.yaml").unlink()
    monkeypatch.setattr(bag_files, "MOST_BYTES_AT_ONCE", 100_000)
    with refused_in_little_memory("holds more than the 100000 bytes"), Bag(tmp_path / "walk") as bag:
        list(bag.messages())


def test_a_compressed_file_under_another_name_is_not_decompressed(tmp_path):
    """rosbags would, to wherever there is room, because metadata.yaml tells it to."""
    writer = BagWriter(tmp_path / "walk", version=8, storage_plugin=StoragePlugin.SQLITE3)
    writer.set_compression(CompressionMode.FILE, CompressionFormat.ZSTD)
    with writer:
        writer.add_connection("/chatter", "std_msgs/msg/String", typestore=get_typestore(Stores.ROS2_JAZZY))
    (tmp_path / "walk" / "walk.db3.zstd").rename(tmp_path / "walk" / "walk.db3")
    description = tmp_path / "walk" / "metadata.yaml"
    description.write_text(description.read_text().replace(".db3.zstd", ".db3"))
    with pytest.raises(RelocError, match=r"cannot be read: .*file is not a database"):
        Bag(tmp_path / "walk")


@pytest.mark.parametrize("way", Ros1Writer.CompressionFormat)
def test_of_a_chunk_of_ros_1_no_more_is_decompressed_than_any_has(tmp_path, monkeypatch, way):
    path, store = tmp_path / "walk.bag", get_typestore(Stores.ROS1_NOETIC)
    writer = Ros1Writer(path)
    writer.set_compression(way)
    with writer:
        topic = writer.add_connection("/chatter", "std_msgs/msg/String", typestore=store)
        writer.write(topic, START_NS, bytes(LARGE))
    monkeypatch.setattr(bag_files, "MOST_BYTES_AT_ONCE", 100_000)
    with refused_in_little_memory("holds more than the 100000 bytes"):
        Bag(path)
