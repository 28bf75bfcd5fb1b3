"""A recorded bag, MCAP, sqlite3 or of ROS 1: its topics and its messages in their order, raw or decoded without ROS."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import heapq
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from reloc_ros.errors import RelocError, first_line
from reloc_ros.io.bag_files import (
    ROS_1,
    bound_rosbags,
    decompressed,
    readable_file,
    warn_once,
)
from reloc_ros.io.nested_text import parse_yaml

BAG_SUFFIXES = (".mcap", ".db3")
_STORAGE = re.compile(r"(.+?)(?:_\d+)?\.(?:mcap|db3)(?:\.zstd)?", re.IGNORECASE)
"""A file of messages; the group is the recording's name, without the number of the file."""
_BESIDE = re.compile(r".+\.(?:mcap|db3)\b.*|.+\.yaml|\..*", re.IGNORECASE)
"""What may lie in a bag's folder: files of messages with what belongs to them, descriptions, hidden files."""
_ZSTD = b"\x28\xb5\x2f\xfd"
"""How compressed messages begin; others begin with a zero."""


def is_bag(path: Path) -> bool:
    """Whether a path is a bag of ROS 2 or 1: a file, or a folder with metadata.yaml or nothing but a bag's files."""
    if path.is_dir():
        names = [child.name for child in path.iterdir()]
        only_bag_files = any(map(_STORAGE.fullmatch, names)) and all(map(_BESIDE.fullmatch, names))
        return "metadata.yaml" in names or only_bag_files
    return path.suffix.lower() in ROS_1 or _STORAGE.fullmatch(path.name) is not None


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A topic of the bag."""

    topic: str
    message_type: str
    """For instance sensor_msgs/msg/Image."""
    count: int
    reliable: bool | None
    """What its publishers offered; None when not recorded, or when they differed."""
    latched: bool | None
    depth: int


@dataclasses.dataclass(frozen=True)
class RawMessage:
    connection: Any
    """What rosbags knows of where it came from: topic, type, definition and QoS."""
    stamp_ns: int
    """When it was recorded."""
    data: bytes
    """Serialized as it came over the wire."""

    @property
    def topic(self) -> str:
        return str(self.connection.topic)

    def decoded(self) -> Any:
        """The message, by the definition that its type has had in every distribution of ROS 2.

        Raises:
            RelocError: its bytes are damaged, or it is of no common type.
        """
        try:
            return _typestore().deserialize_cdr(self.data, self.connection.msgtype)
        except Exception as error:  # damaged bytes may fail in any way
            raise RelocError(f"a message of topic {self.topic} is damaged: {first_line(error)}") from error


class Bag:
    """An open bag; a context manager. rosbags does the reading."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            RelocError: there is none, or it cannot be read.
        """
        self.path = path
        if not path.exists():
            raise RelocError(f"there is no bag at {path}")
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            opening.callback(self._stack.close)
            self._readers = self._open()
            opening.pop_all()
        filled = [reader for reader in self._readers if reader.message_count]
        self.start_ns: int = min((reader.start_time for reader in filled), default=0)
        self.end_ns: int = max((reader.end_time - 1 for reader in filled), default=0)

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _open(self) -> list[Any]:
        """One reader for all, or, where metadata.yaml does not tell what there is, one for each file."""
        if not self.path.is_dir():
            return [self._reader(readable_file(self.path), self.path)]
        files, described = _storage_files(self.path), (self.path / "metadata.yaml").exists()
        if not files and not described:
            raise RelocError(f"{self.path} is not a bag: it has no metadata.yaml and no file of messages")
        problems = [RelocError(f"{self.path} has no metadata.yaml, as when its recorder was killed")]
        if described:
            try:
                if not _is_compressed(self.path) and all(readable_file(file) == file for file in files):
                    return [self._reader(self.path, self.path)]
                problems = []
            except RelocError as error:
                problems = [error]
        _refuse_several_recordings(self.path, files)
        readers = []
        for file in files:
            try:
                readers.append(self._reader(readable_file(file), file))
            except RelocError as error:
                problems.append(error)
        if not readers:
            raise problems[0] if described else problems[-1]
        for problem in problems:
            warn_once(f"{str(problem).rstrip('.')}; what else there is of the bag is read")
        return readers

    def _reader(self, readable: Path, path: Path) -> Any:
        from rosbags.rosbag2 import Reader

        bound_rosbags()
        with _damage_as_sentence(path):
            reader = self._stack.enter_context(Reader(readable))
            # A column of SQLite holds what it likes.
            if not all(isinstance(word, str) for c in reader.connections for word in (c.topic, c.msgtype)):
                raise ValueError("a topic's name or type is no text")
        return reader

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) * 1e-9

    @property
    def connections(self) -> list[Any]:
        """As rosbags knows them: one for each type and QoS of a topic, in each of a bag's files."""
        return [connection for reader in self._readers for connection in reader.connections]

    def topics(self) -> dict[str, Recorded]:
        """By name; one entry a topic, however many publishers it had."""
        found: dict[str, list[Any]] = {}
        for connection in self.connections:
            found.setdefault(connection.topic, []).append(connection)
        return {topic: _recorded(topic, connections) for topic, connections in sorted(found.items())}

    def messages(
        self,
        topics: Collection[str] | None = None,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> Iterator[RawMessage]:
        """Those of some or all topics from `start_ns` on and before `stop_ns`, by the time they were recorded at.

        Raises:
            RelocError: the bag breaks off, or announces messages and has none.
        """
        streams, announced, read = [], 0, 0
        for reader in self._readers:
            wanted = [c for c in reader.connections if topics is None or c.topic in topics]
            if wanted:  # none would mean all
                streams.append(reader.messages(wanted, start_ns, stop_ns))
                announced += sum(connection.msgcount for connection in wanted)
        with _damage_as_sentence(self.path):
            for connection, stamp_ns, data in heapq.merge(*streams, key=lambda message: message[1]):
                yield RawMessage(connection, stamp_ns, _plain(data))
                read += 1
        if start_ns is None and stop_ns is None and read < announced:
            sentence = f"the bag {self.path} announces {announced} messages of {', '.join(topics or ('all topics',))}"
            if not read:
                raise RelocError(
                    f"{sentence} and yields none; if its metadata.yaml is not of its files, move it away"
                )
            warn_once(f"{sentence}, of which {read} can be read")


def _storage_files(folder: Path) -> list[Path]:
    """Those with messages in a bag's folder; what is there compressed and as it was, once."""
    files = [file for file in folder.iterdir() if _STORAGE.fullmatch(file.name)]
    return sorted(file for file in files if file.suffix != ".zstd" or file.with_suffix("") not in files)


def _refuse_several_recordings(folder: Path, files: list[Path]) -> None:
    """Without metadata.yaml the names of the files alone tell that they belong together."""
    names = sorted({match[1] for file in files if (match := _STORAGE.fullmatch(file.name))})
    if len(names) > 1:
        raise RelocError(
            f"'{folder}' has no usable metadata.yaml and files of several recordings "
            f"({', '.join(names)}); name one of its files"
        )


def _is_compressed(folder: Path) -> bool:
    """What metadata.yaml says of its files or messages: rosbags decompresses those to whatever they hold."""
    with _damage_as_sentence(folder):
        (said,) = parse_yaml((folder / "metadata.yaml").read_bytes())
        mode = said["rosbag2_bagfile_information"].get("compression_mode") or "none"
        return bool(mode.lower() != "none")


def _plain(data: bytes) -> bytes:
    """A message, also of those that were compressed one by one."""
    return decompressed(data, way="zstd") if data[:4] == _ZSTD else data


def _recorded(topic: str, connections: list[Any]) -> Recorded:
    types = {connection.msgtype for connection in connections}
    if len(types) > 1:
        raise RelocError(f"topic {topic} of the bag has several types: {', '.join(sorted(types))}")
    profiles = [profile for connection in connections for profile in connection.ext.offered_qos_profiles]
    reliable = {profile.reliability.name for profile in profiles}
    latched = {profile.durability.name for profile in profiles}
    return Recorded(
        topic,
        types.pop(),
        sum(connection.msgcount for connection in connections),
        {"RELIABLE": True, "BEST_EFFORT": False}.get(reliable.pop()) if len(reliable) == 1 else None,
        {"TRANSIENT_LOCAL": True, "VOLATILE": False}.get(latched.pop()) if len(latched) == 1 else None,
        max((profile.depth for profile in profiles), default=0),
    )


@contextlib.contextmanager
def _damage_as_sentence(path: Path) -> Iterator[None]:
    """A file may be damaged in any way, and its reader then fails in any way."""
    try:
        yield
    except RelocError:
        raise
    except PermissionError as error:
        raise RelocError(f"the bag {path} may not be read: {error.strerror}") from error
    except Exception as error:
        raise RelocError(f"the bag {path} cannot be read: {first_line(error)}") from error


@functools.cache
def _typestore() -> Any:
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_JAZZY)
