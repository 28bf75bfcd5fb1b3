"""The tree of frames over time."""

import bisect
import dataclasses
import functools
import logging
import threading

import numpy as np
from geometry_msgs.msg import Transform, TransformStamped
from rclpy.duration import Duration
from rclpy.time import Time

from reloc_ros.geometry import SE3
from tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
)

logger = logging.getLogger(__name__)
DEFAULT_CACHE_TIME = Duration(seconds=10)
QUATERNION_TOLERANCE = 10e-3


@dataclasses.dataclass(frozen=True, eq=False)
class _Link:
    """A frame in its parent at one time."""

    stamp_ns: int
    parent: str
    parent_from_child: SE3
    static: bool = False


class _History:
    """The links of one frame, by time; a static frame has one that holds always."""

    def __init__(self, cache_ns: int, static: bool) -> None:
        self.cache_ns, self.static = cache_ns, static
        self.links: list[_Link] = []

    def insert(self, link: _Link) -> bool:
        if self.static:
            self.links = [link]
            return True
        latest_ns = self.links[-1].stamp_ns if self.links else link.stamp_ns
        if link.stamp_ns + self.cache_ns < latest_ns:
            return False
        place = bisect.bisect_left(self.links, link.stamp_ns, key=lambda known: known.stamp_ns)
        if place < len(self.links) and self.links[place].stamp_ns == link.stamp_ns:
            return False
        self.links.insert(place, link)
        oldest_ns = self.links[-1].stamp_ns - self.cache_ns
        while self.links[0].stamp_ns < oldest_ns:
            del self.links[0]
        return True

    def at(self, time_ns: int) -> _Link:
        """The link at a time, 0 being the latest, interpolated between its neighbours."""
        if not self.links:
            raise ExtrapolationException("Lookup would require extrapolation, but the buffer is empty")
        first, last = self.links[0], self.links[-1]
        if self.static or time_ns == 0:
            return last
        if not first.stamp_ns <= time_ns <= last.stamp_ns:
            raise ExtrapolationException(
                f"Lookup would require extrapolation.  Requested time {time_ns / 1e9:.6f} but the data is from time "
                f"{first.stamp_ns / 1e9:.6f} to {last.stamp_ns / 1e9:.6f}"
            )
        place = bisect.bisect_left(self.links, time_ns, key=lambda known: known.stamp_ns)
        after = self.links[place]
        if after.stamp_ns == time_ns:
            return after
        before = self.links[place - 1]
        if before.parent != after.parent:
            return before
        share = (time_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
        return _Link(
            time_ns, before.parent, _between(before.parent_from_child, after.parent_from_child, share)
        )


class BufferCore:
    """Transforms between named frames, each kept for `cache_time`."""

    def __init__(self, cache_time: Duration | None = None) -> None:
        self._cache_ns = (cache_time or DEFAULT_CACHE_TIME).nanoseconds
        self._lock = threading.RLock()
        self._histories: dict[str, _History] = {}
        self._roots: set[str] = set()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        self._set(transform, authority, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        self._set(transform, authority, static=True)

    def clear(self) -> None:
        """Forget what changes over time; static frames stay."""
        with self._lock:
            for history in self._histories.values():
                if not history.static:
                    history.links.clear()

    def lookup_transform_core(self, target_frame: str, source_frame: str, time: Time) -> TransformStamped:
        with self._lock:
            self._check_frame(target_frame, "target_frame")
            self._check_frame(source_frame, "source_frame")
            time_ns = _nanoseconds(time) or self._latest_common_ns(target_frame, source_frame)
            source_links, target_links = self._common(target_frame, source_frame, time_ns)
            target_from_source = _chained(target_links).inverse() @ _chained(source_links)
            return _message(target_frame, source_frame, time_ns, target_from_source)

    def lookup_transform_full_core(
        self, target_frame: str, target_time: Time, source_frame: str, source_time: Time, fixed_frame: str
    ) -> TransformStamped:
        fixed_from_source = self.lookup_transform_core(fixed_frame, source_frame, source_time)
        target_from_fixed = self.lookup_transform_core(target_frame, fixed_frame, target_time)
        chained = _se3(target_from_fixed.transform) @ _se3(fixed_from_source.transform)
        return _message(target_frame, source_frame, _nanoseconds(target_from_fixed.header.stamp), chained)

    def _set(self, message: TransformStamped, authority: str, *, static: bool) -> None:
        parent, child = message.header.frame_id.lstrip("/"), message.child_frame_id.lstrip("/")
        problem = _problem(parent, child, message.transform)
        if problem:  # the genuine one says so on the console and goes on
            logger.error("TF from %s ignored: %s", authority, problem)
            return
        link = _Link(_nanoseconds(message.header.stamp), parent, _se3(message.transform), static)
        with self._lock:
            history = self._histories.get(child)
            if history is None or history.static != static:
                history = self._histories[child] = _History(self._cache_ns, static)
            if history.insert(link):
                self._roots.add(parent)

    def _check_frame(self, frame: str, argument: str) -> None:
        where = f"argument {argument} in tf2 frame_ids"
        if not frame:
            raise InvalidArgumentException(
                f"Invalid argument passed to lookupTransform {where} cannot be empty"
            )
        if frame.startswith("/"):
            raise InvalidArgumentException(
                f"Invalid argument \"{frame}\" passed to lookupTransform {where} cannot start with a '/'"
            )
        if frame not in self._histories and frame not in self._roots:
            raise LookupException(f'"{frame}" passed to lookupTransform argument {argument} does not exist. ')

    def _chain(
        self, frame: str, time_ns: int
    ) -> tuple[list[str], list[_Link], ExtrapolationException | None]:
        """Frames from `frame` towards the root, the links between them, and why it ended early, if it did."""
        frames, links = [frame], []
        while (history := self._histories.get(frames[-1])) is not None:
            try:
                links.append(history.at(time_ns))
            except ExtrapolationException as error:
                return frames, links, error
            frames.append(links[-1].parent)
            if frames.count(frames[-1]) > 1:
                raise LookupException(
                    f"The tf tree is invalid because it contains a loop at frame {frames[-1]}"
                )
        return frames, links, None

    def _common(self, target: str, source: str, time_ns: int) -> tuple[list[_Link], list[_Link]]:
        """Links from the source, and from the target, up to the first frame that both hang from."""
        source_frames, source_links, source_error = self._chain(source, time_ns)
        target_frames, target_links, target_error = self._chain(target, time_ns)
        for steps, frame in enumerate(source_frames):
            if frame in target_frames:
                return source_links[:steps], target_links[: target_frames.index(frame)]
        error = source_error or target_error
        if error is not None:
            raise ExtrapolationException(
                f"{error}, when looking up transform from frame [{source}] to frame [{target}]"
            )
        raise ConnectivityException(
            f"Could not find a connection between '{target}' and '{source}' because they are not part of the "
            "same tree.Tf has two or more unconnected trees."
        )

    def _latest_common_ns(self, target: str, source: str) -> int:
        """The latest time at which every changing link between the two is known; 0 if all are static."""
        source_links, target_links = self._common(target, source, 0)
        links = [*source_links, *target_links]
        if target == source and (history := self._histories.get(source)) is not None:
            links = history.links[-1:]
        return min((link.stamp_ns for link in links if not link.static), default=0)


def _between(a: SE3, b: SE3, share: float) -> SE3:
    """Position on the line from one to the other, rotation at an even rate the short way round."""
    turn = share * SE3(a.rotation.T @ b.rotation, np.zeros(3)).rotation_vector
    rotation = a.rotation @ SE3.from_rotation_vector(turn, np.zeros(3)).rotation
    return SE3(rotation, (1 - share) * a.translation + share * b.translation)


def _chained(links: list[_Link]) -> SE3:
    """top_from_bottom of links given from the bottom up."""
    return functools.reduce(lambda below, link: link.parent_from_child @ below, links, SE3.identity())


def _se3(transform: Transform) -> SE3:
    q, t = transform.rotation, transform.translation
    return SE3.from_quaternion_wxyz([q.w, q.x, q.y, q.z], [t.x, t.y, t.z])


def _problem(parent: str, child: str, transform: Transform) -> str:
    q, t = transform.rotation, transform.translation
    norm = q.x**2 + q.y**2 + q.z**2 + q.w**2
    if not child or not parent:
        return "it has an empty frame name"
    if child == parent:
        return f"frame {child} is its own parent"
    if not np.isfinite([norm, t.x, t.y, t.z]).all():
        return f"frame {child} has a value that is not a number"
    if abs(norm - 1) > QUATERNION_TOLERANCE:
        return f"frame {child} has a quaternion that is not normalized"
    return ""


def _nanoseconds(time) -> int:
    """Of an rclpy Time or of a message's stamp, as the genuine one takes either."""
    return time.nanoseconds if hasattr(time, "nanoseconds") else time.sec * 1_000_000_000 + time.nanosec


def _message(target: str, source: str, time_ns: int, target_from_source: SE3) -> TransformStamped:
    message = TransformStamped(child_frame_id=source)
    message.header.frame_id = target
    message.header.stamp = Time(nanoseconds=time_ns).to_msg()
    q, t = message.transform.rotation, message.transform.translation
    q.w, q.x, q.y, q.z = map(float, target_from_source.quaternion_wxyz)
    t.x, t.y, t.z = map(float, target_from_source.translation)
    return message
