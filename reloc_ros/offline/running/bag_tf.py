"""What the TF in a bag says of its camera: what that hangs on, and how the robot lies by the camera's poses."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.bag import Bag
from reloc_ros.pose.level import tilt_problem

_logger = logging.getLogger(__name__)
_TF_TYPE = "tf2_msgs/msg/TFMessage"
_ROBOT_FRAMES = ("base_link", "base_footprint")
"""REP-105 and REP-120; level on every robot."""


class BagTf:
    """The tree of a bag, of which the part that never changes tells the camera's mount."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parents: dict[str, str | None] = {}
        self._static: dict[str, tuple[str, SE3]] = {}
        with Bag(path) as bag:
            for transform in _transforms(bag, "/tf_static"):
                child, parent = _names(transform)
                with contextlib.suppress(ValueError):  # a rotation that is none
                    self._static[child] = parent, _se3_of(transform.transform)
                self._parents[child] = parent

    def parent_of(self, frame: str) -> str | None:
        """The frame that a frame hangs on in `/tf_static` and `/tf`; None if on nothing."""
        if frame not in self._parents:
            with Bag(self._path) as bag:  # of its own: the other one is being copied from
                links = map(_names, _transforms(bag, "/tf"))
                self._parents[frame] = next((parent for child, parent in links if child == frame), None)
        return self._parents[frame]

    def mount_of(self, frame: str) -> tuple[str, SE3] | None:
        """The robot's frame that a frame is fixed to, and `frame_from_robot`; None where TF does not tell."""
        ancestor, ancestor_from_frame = frame, SE3.identity()
        for _ in range(len(self._static)):  # the links of a damaged bag may form a loop
            if ancestor not in self._static:
                return None
            ancestor, parent_from_child = self._static[ancestor]
            ancestor_from_frame = parent_from_child @ ancestor_from_frame
            if ancestor.rpartition("/")[2] in _ROBOT_FRAMES:
                return ancestor, ancestor_from_frame.inverse()
        return None


class RobotLevel:
    """Feed it the poses of a run; tells in the end if the robot cannot have lain as they say."""

    def __init__(self, tf: BagTf) -> None:
        self._tf = tf
        self._poses = self._tilted = 0
        self._problem = ""

    def add(self, camera_frame: str, map_from_camera: SE3) -> None:
        mount = self._tf.mount_of(camera_frame)
        if mount is None:
            return
        robot_frame, camera_from_robot = mount
        problem = tilt_problem(
            robot_frame, camera_frame, map_from_camera, camera_from_robot, option="--camera-frame"
        )
        self._poses += 1
        self._tilted += bool(problem)
        self._problem = problem or self._problem

    def tell(self) -> None:
        """Warn if that is so in most poses."""
        if self._tilted > self._poses / 2:
            _logger.warning("in %d of %d poses, %s", self._tilted, self._poses, self._problem)


def _transforms(bag: Bag, topic: str) -> Iterator[Any]:
    """Those of a topic; a damaged message costs only itself."""
    told = False
    for raw in bag.messages([topic]):
        if raw.connection.msgtype != _TF_TYPE:
            continue
        try:
            yield from raw.decoded().transforms
        except RelocError as error:
            if not told:
                _logger.warning("what else its topic holds is used: %s", error)
            told = True


def _names(transform: Any) -> tuple[str, str]:
    """Child and parent, without the slash that ROS 1 put before them."""
    return transform.child_frame_id.lstrip("/"), transform.header.frame_id.lstrip("/")


def _se3_of(transform: Any) -> SE3:
    q, t = transform.rotation, transform.translation
    return SE3.from_quaternion_wxyz([q.w, q.x, q.y, q.z], [t.x, t.y, t.z])
