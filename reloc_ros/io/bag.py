"""A recorded bag, MCAP or sqlite3: its topics, and its messages in their order, raw or decoded without ROS."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from reloc_ros.errors import RelocError, first_line

BAG_SUFFIXES = (".mcap", ".db3")


def is_bag(path: Path) -> bool:
    """Whether a path is a bag: a folder with metadata.yaml, or a single file; one of ROS 1 is refused when opened."""
    return path.suffix.lower() in (*BAG_SUFFIXES, ".bag") or (path / "metadata.yaml").is_file()


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
        return self.connection.topic

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
        from rosbags.rosbag2 import Reader

        self.path = path
        if not path.exists():
            raise RelocError(f"there is no bag at {path}")
        if path.suffix.lower() == ".bag":
            raise RelocError(
                f"'{path}' is a ROS 1 bag; convert it: rosbags-convert --src {path} --dst {path.stem}"
            )
        if path.is_dir() and not (path / "metadata.yaml").exists():
            raise RelocError(f"{path} is not a bag: it has no metadata.yaml")
        with _damage_as_sentence(path):
            self._reader = Reader(path)
            self._reader.open()
        self.start_ns: int = self._reader.start_time if self._reader.message_count else 0
        self.end_ns: int = max(self._reader.end_time - 1, self.start_ns) if self._reader.message_count else 0

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) * 1e-9

    @property
    def connections(self) -> list[Any]:
        """As rosbags knows them: one for each type and QoS of a topic."""
        return self._reader.connections

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
        """Those of some or all topics from `start_ns` on and before `stop_ns`, by the time they were recorded at."""
        connections = [c for c in self.connections if topics is None or c.topic in topics]
        if not connections:  # for the reader that would mean all
            return
        with _damage_as_sentence(self.path):
            for connection, stamp_ns, data in self._reader.messages(connections, start_ns, stop_ns):
                yield RawMessage(connection, stamp_ns, data)


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
