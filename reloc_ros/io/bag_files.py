"""The files of a bag as rosbags can read them: as they are, or copies where it would refuse or silently lose messages.

The bag itself is never written to. Copies stay until the process ends, in the folder for temporary files (TMPDIR).
"""

from __future__ import annotations

import atexit
import bz2
import contextlib
import dataclasses
import errno
import functools
import io
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError, first_line
from reloc_ros.io.atomic import scratch_folder

_logger = logging.getLogger(__name__)
ROS_1 = (".bag", ".active")
"""The second while it is recorded."""
_COPY_ATTEMPTS = 5
_PIECE_BYTES = 1 << 20
KEPT_FREE_BYTES = 1 << 30
"""On the disk, whatever a compressed file turns out to hold."""
MOST_BYTES_AT_ONCE = 1 << 30
"""Of a chunk or message once it is decompressed; a second of raw full-HD images has 180 million."""


class HoldsTooMuch(ValueError):
    """A chunk or message, for the memory of whoever reads it."""


def uncommitted_files(path: Path) -> list[Path]:
    """What SQLite keeps beside a bag while it is recorded: the log of what is to come into it, or of what is not."""
    beside = [path.with_name(f"{path.name}{end}") for end in ("-wal", "-journal")]
    return [file for file in beside if file.is_file() and file.stat().st_size]


def readable_file(path: Path) -> Path:
    """A bag's file, or else a copy (a bag's folder, from ROS 1), from which rosbags reads all that is in it.

    Raises:
        RelocError: there is nothing in it that can be read, or no room for a copy.
    """
    stat = path.stat()
    try:
        return _readable_file(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise RelocError(
            f"the bag {path} cannot be read without a copy in {tempfile.gettempdir()}: "
            f"{error.strerror or error}; name a folder with more room by TMPDIR"
        ) from error


@functools.cache
def _readable_file(path: Path, *_state: int) -> Path:
    suffix = path.suffix.lower()
    if suffix in ROS_1:
        return _converted(path)
    if suffix == ".zstd":
        return readable_file(_decompressed(path))
    if suffix == ".db3" and uncommitted_files(path):
        return _committed(path)
    if suffix == ".mcap" and not _is_complete(path):
        return _rewritten(path)
    return path


@functools.cache
def warn_once(sentence: str) -> None:
    """A bag is opened more than once in a run."""
    _logger.warning(sentence)


@functools.cache
def _scratch() -> Path:
    until_exit = contextlib.ExitStack()
    atexit.register(until_exit.close)
    return until_exit.enter_context(scratch_folder(Path(tempfile.gettempdir(), "reloc-bag")))


def _place_for(name: str) -> Path:
    return Path(tempfile.mkdtemp(dir=_scratch())) / name


def _converted(path: Path) -> Path:
    """A bag of ROS 1 in the types of ROS 2."""
    from rosbags.convert.converter import convert
    from rosbags.typesys import Stores, get_typestore

    bound_rosbags()
    copy = _place_for("converted")
    warn_once(f"{path} is of ROS 1: a copy is converted first")
    types = get_typestore(Stores.ROS2_JAZZY)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
            convert([path], copy, "mcap", 8, None, "", None, types, (), (), (), ())
    except HoldsTooMuch as error:
        raise RelocError(f"the bag {path} cannot be read: {error}") from error
    except Exception as error:  # a damaged file may fail in any way
        raise RelocError(
            f"'{path}' is a ROS 1 bag; convert it: rosbags-convert --src {path} --dst {path.stem} "
            f"(reading it as it is failed: {first_line(error)}; if its recorder was killed, first: rosbag reindex)"
        ) from error
    return copy


def _decompressed(path: Path) -> Path:
    import zstandard

    copy = _place_for(path.stem)
    room = shutil.disk_usage(copy.parent).free - KEPT_FREE_BYTES
    with path.open("rb") as compressed, copy.open("wb") as plain:
        pieces = zstandard.ZstdDecompressor().stream_reader(compressed, read_across_frames=True)
        try:
            while piece := pieces.read(_PIECE_BYTES):
                room -= len(piece)
                if room < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                plain.write(piece)
        except zstandard.ZstdError as error:
            warn_once(f"{path} can be decompressed in part only: {first_line(error)}")
    return copy


def _committed(path: Path) -> Path:
    """A sqlite3 bag with what its recorder had not yet brought into it, or without what it had not finished."""
    copy = _place_for(path.name)
    for _ in range(_COPY_ATTEMPTS):
        files = [path, *uncommitted_files(path)]
        before = [_state(file) for file in files]
        for file in files:
            shutil.copyfile(file, copy.with_name(file.name))
        if before == [_state(file) for file in files]:
            break
    else:
        raise RelocError(f"the bag {path} is being written to; stop the recorder first")
    try:
        with contextlib.closing(sqlite3.connect(copy)) as database:
            database.execute("PRAGMA journal_mode=DELETE").fetchall()  # moves the log into the file
            database.execute("SELECT count(*) FROM sqlite_master").fetchall()  # undoes what was not finished
    except sqlite3.Error as error:
        raise RelocError(
            f"the bag {path} cannot be read with the {files[-1].name} beside it: {error}; "
            f'try: sqlite3 {path} "PRAGMA wal_checkpoint(TRUNCATE)"'
        ) from error
    warn_once(
        f"{path} was not closed by its recorder: it is read as far as the {files[-1].name} beside it goes"
    )
    return copy


def _state(file: Path) -> tuple[int, int] | None:
    with contextlib.suppress(FileNotFoundError):
        stat = file.stat()
        return stat.st_mtime_ns, stat.st_size
    return None


def _is_complete(path: Path) -> bool:
    """Whether rosbags yields every message of an MCAP file: its indexes are optional, and its end may be missing."""
    from mcap.reader import SeekingReader
    from rosbags.rosbag2 import Reader

    bound_rosbags()
    try:
        with path.open("rb") as stream:
            mcap = SeekingReader(stream)
            if mcap.get_header().profile != "ros2":
                return False
            summary = mcap.get_summary()
        if summary is not None and summary.statistics is not None:
            if any(channel.message_encoding != "cdr" for channel in summary.channels.values()):
                return False
            indexed = [chunk for chunk in summary.chunk_indexes if chunk.message_index_offsets]
            if not summary.statistics.message_count:
                return True
            if summary.channels and indexed and len(indexed) == summary.statistics.chunk_count:
                return True
        with Reader(path) as reader:  # it reads files without any index from end to end, if they are in order
            return 0 < reader.message_count == sum(1 for _ in reader.messages())
    except Exception:  # damaged in any way
        return False


def decompressed(data: bytes, most: int = MOST_BYTES_AT_ONCE, *, way: str) -> bytes:
    """A chunk or message; HoldsTooMuch where it holds more than `most` or any may, whatever it announces."""
    limit = max(0, min(most, MOST_BYTES_AT_ONCE))
    if way == "zstd":
        import zstandard

        if zstandard.frame_content_size(data) <= limit:  # -1 if it does not tell: then it fails at the limit
            return zstandard.decompress(data, limit)
    else:
        import lz4.frame

        frame = lz4.frame.LZ4FrameDecompressor() if way == "lz4" else bz2.BZ2Decompressor()
        plain: bytes = frame.decompress(data, max_length=limit + 1)
        if len(plain) <= limit:
            if not frame.eof:
                raise ValueError("a part of it is cut off")
            return plain
    raise HoldsTooMuch(f"a part of it holds more than the {limit} bytes that it announces or any may have")


@functools.cache
def bound_rosbags() -> None:
    """Have it decompress chunks so; by itself, up to 0.11.9, it takes whatever they hold."""
    from rosbags.rosbag1 import reader
    from rosbags.rosbag2 import storage_mcap

    for table, ways in (
        (reader.decompressors, ("bz2", "lz4")),
        (storage_mcap.DECOMPRESSORS, ("lz4", "zstd")),
    ):
        table.update((way, functools.partial(decompressed, way=way)) for way in ways)


def _rewritten(path: Path) -> Path:
    """An MCAP file with indexes, of the messages in another that come before any damage."""
    from mcap.writer import CompressionType, Writer

    copy, channels, count, problem = _place_for(path.name), {}, 0, ""
    with copy.open("wb") as target:
        writer = Writer(target, compression=CompressionType.LZ4)
        writer.start("ros2")
        for schema, channel, message in _messages_before_damage(path):
            if isinstance(message, str):
                problem = message
                break
            if channel.message_encoding != "cdr":
                warn_once(f"{path}: topic {channel.topic} is left out, as it is no topic of ROS 2")
                continue
            if channel.id not in channels:
                kind = writer.register_schema(schema.name, schema.encoding, schema.data) if schema else 0
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, kind, channel.metadata
                )
            writer.add_message(
                channels[channel.id],
                message.log_time,
                message.data,
                message.publish_time,
                message.sequence,
            )
            count += 1
        writer.finish()  # type: ignore[no-untyped-call]  # mcap leaves its type out
    if not count:
        raise RelocError(f"the bag {path} cannot be read: {problem or 'it has no messages of ROS 2'}")
    if problem:
        warn_once(
            f"{path} is damaged or was not closed by its recorder ({problem}): its first {count} messages are read"
        )
    else:
        _logger.info("%s has no complete index: a copy with one is read", path)
    return copy


def _messages_before_damage(path: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Schema, channel and message in the order of the file; last, instead of a message, what is wrong with the rest."""
    from mcap.records import Channel, Message, Schema
    from mcap.stream_reader import StreamReader

    known: dict[type, dict[int, Any]] = {Schema: {0: None}, Channel: {}}
    with path.open("rb") as stream:
        try:
            for record in StreamReader(stream, emit_chunks=True, validate_crcs=True).records:
                for part in _parts(record):
                    if type(part) in known:
                        known[type(part)][part.id] = part
                    elif isinstance(part, Message):
                        channel = known[Channel].get(part.channel_id)
                        if channel is None or channel.schema_id not in known[Schema]:
                            raise ValueError("a message of it is of no known type")
                        yield known[Schema][channel.schema_id], channel, part
        except Exception as error:  # damaged in any way
            yield None, None, first_line(error) if stream.read(1) else "its end is missing"


def _parts(record: Any) -> list[Any]:
    """The records in a chunk; any other is one by itself."""
    from mcap.records import Chunk
    from mcap.stream_reader import breakup_chunk

    if not isinstance(record, Chunk):
        return [record]
    if record.compression in ("lz4", "zstd"):
        data = decompressed(record.data, record.uncompressed_size, way=record.compression)
        record = dataclasses.replace(record, compression="", data=data)
    return breakup_chunk(record, validate_crc=True)
