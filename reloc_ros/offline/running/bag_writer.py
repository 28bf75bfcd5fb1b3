"""Poses as topics of a new bag, MCAP or sqlite3, stamped as the images they come from; rosbags does the writing."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path, scratch_folder
from reloc_ros.io.bag import BAG_SUFFIXES, Bag, RawMessage
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.running.bag_tf import BagTf, RobotLevel
from reloc_ros.offline.running.pose_file_writers import Sink
from reloc_ros.offline.running.ros_messages import STATUS, TF, TYPES, PoseMessages
from reloc_ros.offline.sources.frame import Frame

_logger = logging.getLogger(__name__)
_NO_HASH = "RIHS01_" + 64 * "0"
_METADATA_VERSION = 8
"""Of rosbag2; in 9 the QoS is written in a way that Humble does not read."""


@contextlib.contextmanager
def bag_writer(
    path: Path,
    messages: PoseMessages,
    copied: Path | None = None,
    *,
    tf: BagTf | None = None,
    camera_frame: str = "",
) -> Iterator[Sink]:
    """A bag with poses, status and `/tf`, see `PoseMessages`; it appears when it is whole.

    Args:
        path: a name in .mcap or .db3 is a single file, one without suffix a folder with metadata, in sqlite3.
        copied: a bag whose messages are written into this one as well, in the order of their times.
        tf: of the bag that the images are from.
        camera_frame: the camera's optical frame; empty: the one that each image names.

    Raises:
        RelocError: the path is taken or has another suffix, or the copied bag has topics of these names.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer

    check_bag_path(path)
    storage = StoragePlugin.MCAP if path.suffix == ".mcap" else StoragePlugin.SQLITE3
    with scratch_folder(path) as staging:
        # The files in a bag are named as it is, so it must have its name from the start.
        folder = staging / path.stem
        with contextlib.ExitStack() as stack:
            writer = stack.enter_context(Writer(folder, version=_METADATA_VERSION, storage_plugin=storage))
            output = _Output(writer, messages.store)
            original = None
            if copied is not None:
                tf = tf or BagTf(copied)
                original = _Original(copied, tf, output, stack)
            level = RobotLevel(tf) if tf is not None and messages.bundle.scale == "metric" else None
            ours = {topic: output.connect(topic, kind, _qos(topic)) for topic, kind in TYPES.items()}

            def write(frame: Frame, result: Localized | Lost) -> None:
                frame = dataclasses.replace(frame, frame_id=camera_frame or frame.frame_id)
                if level is not None and isinstance(result, Localized):
                    level.add(frame.frame_id, result.camera_from_map.inverse())
                now_ns, parent = frame.recorded_ns or frame.stamp_ns or 0, None
                if original is not None:
                    original.copy_until(now_ns)
                    parent = original.parent_of(frame.frame_id)
                for topic, message in messages.of(frame, result, parent):
                    writer.write(ours[topic], now_ns, messages.store.serialize_cdr(message, TYPES[topic]))

            yield write
            if original is not None:
                original.copy_until(None)
            if level is not None:
                level.tell()
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

    def __init__(self, path: Path, tf: BagTf, output: _Output, stack: contextlib.ExitStack) -> None:
        self._tf, self._output = tf, output
        self._told: set[str] = set()
        bag = stack.enter_context(Bag(path))
        taken = {connection.topic for connection in bag.connections} & set(TYPES) - {TF}
        if taken:
            raise RelocError(
                f"the bag {path} has the topic {min(taken)} already, so it cannot be copied; leave --copy out"
            )
        self._connections = {
            _key(c): output.connect(
                c.topic, c.msgtype, list(c.ext.offered_qos_profiles), c.msgdef.data, c.digest
            )
            for c in bag.connections
        }
        self._messages = bag.messages()
        self._next: RawMessage | None = None

    def copy_until(self, time_ns: int | None) -> None:
        """Copy what was recorded until then; None: the rest."""
        while True:
            self._next = self._next or next(self._messages, None)
            if self._next is None or (time_ns is not None and self._next.stamp_ns > time_ns):
                return
            raw, self._next = self._next, None
            self._output.writer.write(self._connections[_key(raw.connection)], raw.stamp_ns, raw.data)

    def parent_of(self, frame: str) -> str | None:
        """The frame that a frame hangs on in the bag; None if on nothing."""
        parent = self._tf.parent_of(frame)
        if parent is not None and frame not in self._told:
            self._told.add(frame)
            _logger.warning("no transform is written: in the copied bag, %s hangs on %s", frame, parent)
        return parent


def _key(connection: Any) -> tuple[int, int]:
    """A connection's number is its own among those of one file."""
    return id(connection.owner), connection.id


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
