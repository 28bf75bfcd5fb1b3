"""The files that `reloc run` writes: which, whether they may be written, and what writes each."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from pathlib import Path

from reloc_ros.bundle import MANIFEST, Bundle
from reloc_ros.errors import RelocError
from reloc_ros.io.bag import is_bag
from reloc_ros.offline.running.bag_tf import BagTf
from reloc_ros.offline.running.bag_writer import bag_writer, check_bag_path
from reloc_ros.offline.running.overlay import ArContent, overlay_video
from reloc_ros.offline.running.pose_file_writers import Sink, poses_json_writer, tum_writer
from reloc_ros.offline.running.rerun_writer import check_rerun_path, rerun_writer
from reloc_ros.offline.running.ros_messages import PoseMessages, typestore
from reloc_ros.offline.running.video_writer import check_video_path
from reloc_ros.offline.sources.frame import Source
from reloc_ros.offline.sources.photographs import IMAGE_SUFFIXES


@dataclasses.dataclass(frozen=True)
class Outputs:
    """The files to write; None: not that one."""

    poses: Path
    tum: Path | None = None
    overlay: Path | None = None
    bag: Path | None = None
    copy: bool = False
    """Whether the source's messages are copied into the bag."""
    camera_frame: str = ""
    """The camera's optical frame in the bag; empty: the one that each image names."""
    rerun: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        named = (self.poses, self.tum, self.overlay, self.bag, self.rerun)
        return tuple(path for path in named if path is not None)

    def check(self, source: Path, *others: Path | None) -> None:
        """Refuse, before anything is done, what would overwrite an input or cannot be written.

        Args:
            others: what else is read, such as the bundle.
        """
        for path in self.paths:
            if any(_is_read(path, given) for given in (source, *others) if given is not None):
                raise RelocError(f"'{path}' is read from, so it cannot be written; name another file")
        for one, other in itertools.combinations(self.paths, 2):
            if one.resolve() == other.resolve():
                raise RelocError(f"'{one}' cannot hold two kinds of results; name a file for each")
        for path in self.paths:
            if path != self.bag and path.is_dir():
                raise RelocError(f"'{path}' is a folder; name a file to write")
        if self.overlay is not None:
            check_video_path(self.overlay)
        if self.rerun is not None:
            check_rerun_path(self.rerun)
        if self.copy and self.bag is None:
            raise RelocError("--copy copies messages into a new bag; name it with --bag")
        if self.camera_frame and self.bag is None:
            raise RelocError("--camera-frame is for the transforms in a new bag; name it with --bag")
        if self.bag is not None:
            check_bag_path(self.bag)
            if not is_bag(source):
                raise RelocError(
                    f"'{source}' is not a bag, so its images have no stamps for --bag; use --tum"
                )

    def sinks(
        self, bundle: Bundle, source: Source, keypoints_by: str, content: ArContent, folder_rate_hz: float
    ) -> list[contextlib.AbstractContextManager[Sink]]:
        """A sink for each file.

        Args:
            keypoints_by: what found the keypoints, for the status messages.
        """
        sinks = [poses_json_writer(self.poses)]
        if self.tum is not None:
            sinks.append(tum_writer(self.tum))
        if self.overlay is not None:
            sinks.append(overlay_video(self.overlay, bundle, source, content, folder_rate_hz))
        if self.rerun is not None:
            sinks.append(rerun_writer(self.rerun, bundle))
        if self.bag is not None:
            messages = PoseMessages(typestore(), bundle, keypoints_by)
            copied = source.path if self.copy else None
            tf = BagTf(source.path)
            sinks.append(bag_writer(self.bag, messages, copied, tf=tf, camera_frame=self.camera_frame))
        return sinks


def _is_read(path: Path, given: Path) -> bool:
    """Whether a path is an input or part of one; new files may lie among photographs."""
    path, given = path.resolve(), given.resolve()
    if given not in path.parents or not path.exists():
        return path == given
    return path.suffix.lower() in IMAGE_SUFFIXES or is_bag(given) or (given / MANIFEST).exists()
