"""Poses as topics of a new bag, MCAP or sqlite3, stamped as the images they come from; rosbags does the writing."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path
from reloc_ros.io.bag import damage_as_sentence
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.running.pose_files import Sink
from reloc_ros.offline.running.pose_messages import STATUS, TF, TYPES, PoseMessages
from reloc_ros.offline.sources.bag_images import BAG_SUFFIXES
from reloc_ros.offline.sources.sources import Frame

_logger = logging.getLogger(__name__)
_NO_HASH = "RIHS01_" + 64 * "0"


@contextlib.contextmanager
def pose_bag(path: Path, messages: PoseMessages, copied: Path | None = None) -> Iterator[Sink]:
    """A bag with poses, status and `/tf`, see `PoseMessages`; it appears when it is whole.

    Args:
        path: a name in .mcap or .db3 is a single file, one without suffix a folder with metadata, in sqlite3.
        copied: a bag whose messages are written into this one as well, in the order of their times.

    Raises:
        RelocError: the path is taken or has another suffix, or the copied bag has topics of these names.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer

    check_bag_path(path)
    storage = StoragePlugin.MCAP if path.suffix == ".mcap" else StoragePlugin.SQLITE3
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as staging:
        # The files in a bag are named as it is, so it must have its name from the start.
        folder = Path(staging) / path.stem
        with contextlib.ExitStack() as stack:
            writer = stack.enter_context(Writer(folder, version=9, storage_plugin=storage))
            output = _Output(writer, messages.store)
            original = _Original(copied, output, stack) if copied is not None else None
            ours = {topic: output.connect(topic, kind, _qos(topic)) for topic, kind in TYPES.items()}

            def write(frame: Frame, result: Localized | Lost) -> None:
                now_ns, parent = frame.recorded_ns or frame.stamp_ns or 0, None
                if original is not None:
                    original.copy_until(now_ns)
                    parent = original.parent_of(frame.frame_id)
                for topic, message in messages.of(frame, result, parent):
                    writer.write(ours[topic], now_ns, messages.store.serialize_cdr(message, TYPES[topic]))

            yield write
            if original is not None:
                original.copy_until(None)
        whole = next(folder.glob(f"*{path.suffix}")) if path.suffix else folder
        with atomic_path(path) as temporary:
            whole.rename(temporary)


def check_bag_path(path: Path) -> None:
    """Refuse what cannot become a bag."""
    if path.suffix not in ("", *BAG_SUFFIXES):
        raise RelocError(
            f"cannot write a bag as '{path}'; its name must end in .mcap, .db3, or nothing for a folder"
        )
    if path.exists():
        raise RelocError(f"'{path}' exists, and a bag is never replaced; remove it or name another")


class _Output:
    """A writer whose connections may be asked for more than once."""

    def __init__(self, writer: Any, store: Any) -> None:
        self.writer, self._store = writer, store
        self._connections: dict[tuple[str, str, str], Any] = {}

    def decode(self, data: bytes, kind: str) -> Any:
        return self._store.deserialize_cdr(data, kind)

    def connect(self, topic: str, kind: str, qos: list[Any], definition: str = "", digest: str = "") -> Any:
        """The connection; what is not known of its type is looked up where rosbags knows the type."""
        key = (topic, kind, str(qos))
        if key not in self._connections:
            known = {"typestore": self._store}
            if definition or kind not in self._store.fielddefs:
                hashed = kind in self._store.fielddefs and self._store.hash_rihs01(kind)
                known = {"msgdef": definition, "rihs01": digest or hashed or _NO_HASH}
            self._connections[key] = self.writer.add_connection(
                topic, kind, offered_qos_profiles=qos, **known
            )
        return self._connections[key]


class _Original:
    """The bag that is copied along, message by message, undecoded."""

    def __init__(self, path: Path, output: _Output, stack: contextlib.ExitStack) -> None:
        from rosbags.rosbag2 import Reader

        self._path, self._output = path, output
        self._parents: dict[str, str | None] = {}
        with damage_as_sentence(path):
            self._reader = stack.enter_context(Reader(path))
        taken = {connection.topic for connection in self._reader.connections} & set(TYPES) - {TF}
        if taken:
            raise RelocError(
                f"the bag {path} has the topic {min(taken)} already, so it cannot be copied; leave --copy out"
            )
        self._connections = {
            (c.topic, c.msgtype, str(c.ext.offered_qos_profiles)): output.connect(
                c.topic, c.msgtype, list(c.ext.offered_qos_profiles), c.msgdef.data, c.digest
            )
            for c in self._reader.connections
        }
        self._messages = self._reader.messages()
        self._next: tuple[Any, int, bytes] | None = None

    def copy_until(self, time_ns: int | None) -> None:
        """Copy what was recorded until then; None: the rest."""
        while True:
            with damage_as_sentence(self._path):
                self._next = self._next or next(self._messages, None)
            if self._next is None or (time_ns is not None and self._next[1] > time_ns):
                return
            source, recorded_ns, data = self._next
            key = (source.topic, source.msgtype, str(source.ext.offered_qos_profiles))
            self._output.writer.write(self._connections[key], recorded_ns, data)
            self._next = None

    def parent_of(self, frame: str) -> str | None:
        """The frame that a frame hangs on in the bag's `/tf_static` and `/tf`; None if on nothing."""
        if frame not in self._parents:
            parent = self._parents[frame] = self._look_for_parent(frame)
            if parent is not None:
                _logger.warning("no transform is written: in the copied bag, %s hangs on %s", frame, parent)
        return self._parents[frame]

    def _look_for_parent(self, frame: str) -> str | None:
        from rosbags.rosbag2 import Reader

        # A reader of its own: the other one is being copied from.
        with damage_as_sentence(self._path), Reader(self._path) as reader:
            for topic in ("/tf_static", TF):
                connections = [c for c in reader.connections if (c.topic, c.msgtype) == (topic, TYPES[TF])]
                for _, _, data in reader.messages(connections) if connections else ():
                    for transform in self._output.decode(data, TYPES[TF]).transforms:
                        if transform.child_frame_id == frame:
                            return transform.header.frame_id
        return None


def _qos(topic: str) -> list[Any]:
    """As the node offers them: reliable, and the newest status for whoever comes late."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    latched = topic == STATUS
    never = QosTime(2147483647, 4294967295)
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    depth = 1 if latched else 100 if topic == TF else 10
    profile = Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        never,
        never,
        QosLiveliness.AUTOMATIC,
        never,
        False,
    )
    return [profile]
