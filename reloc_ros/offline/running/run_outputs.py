"""What `reloc run` writes: which files, whether they may be written, and the AR content of the overlay."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reloc_ros.bundle import MANIFEST, Bundle
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.bag import is_bag
from reloc_ros.io.tum import parse_tum_pose
from reloc_ros.localizer import Localized, Lost
from reloc_ros.offline.running.mesh import Mesh, axes, read_mesh
from reloc_ros.offline.running.overlay import MapCloud, Overlay
from reloc_ros.offline.running.pose_bag import check_bag_path, pose_bag
from reloc_ros.offline.running.pose_files import Sink, poses_json, tum_file
from reloc_ros.offline.running.pose_messages import PoseMessages, typestore
from reloc_ros.offline.running.video_file import check_video_path, video_file
from reloc_ros.offline.sources.frame import Frame, Source
from reloc_ros.offline.sources.photographs import IMAGE_SUFFIXES
from reloc_ros.scene_size import extent

_AXES_SHARE = 0.4
"""Length of the axes as a share of the map's size, the median distance of its landmarks from their middle."""


@dataclasses.dataclass(frozen=True, eq=False)
class Content:
    """AR content of an overlay."""

    mesh: Mesh | None = None
    """None: the map's axes."""
    map_from_mesh: SE3 | None = None
    """None: in the middle of the landmarks, turned as the map is."""
    scale: float = 1.0

    @staticmethod
    def read(mesh: Path | None, pose: str | None, scale: float) -> Content:
        """From a mesh file and a pose as `parse_pose` reads it."""
        if not (np.isfinite(scale) and scale > 0):
            raise RelocError(f"the mesh's scale must be above 0, got {scale}")
        map_from_mesh = None if pose is None else parse_pose(pose)
        return Content(None if mesh is None else read_mesh(mesh), map_from_mesh, scale)

    def in_map(self, bundle: Bundle) -> Mesh:
        points = bundle.landmarks.positions_map
        mesh = axes(_AXES_SHARE * extent(points)) if self.mesh is None else self.mesh
        return mesh.placed(self.map_from_mesh or SE3(np.eye(3), np.median(points, axis=0)), self.scale)


def parse_pose(text: str) -> SE3:
    """`x y z` or `x y z qx qy qz qw`, as in a TUM file, with blanks or commas between."""
    try:
        words = text.replace(",", " ").split()
        return parse_tum_pose(" ".join(words if len(words) != 3 else [*words, "0 0 0 1"]))
    except ValueError as error:
        raise RelocError(f"the mesh's pose must be 'x y z' or 'x y z qx qy qz qw', got '{text}'") from error


@dataclasses.dataclass(frozen=True)
class Outputs:
    """The files to write; None: not that one."""

    poses: Path
    tum: Path | None = None
    overlay: Path | None = None
    bag: Path | None = None
    copy: bool = False
    """Whether the source's messages are copied into the bag."""

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.poses, self.tum, self.overlay, self.bag) if path is not None)

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
        if self.copy and self.bag is None:
            raise RelocError("--copy copies messages into a new bag; name it with --bag")
        if self.bag is not None:
            check_bag_path(self.bag)
            if not is_bag(source):
                raise RelocError(
                    f"'{source}' is not a bag, so its images have no stamps for --bag; use --tum"
                )

    def sinks(
        self, bundle: Bundle, source: Source, keypoints_by: str, content: Content, folder_rate_hz: float
    ) -> list[contextlib.AbstractContextManager[Sink]]:
        """A sink for each file.

        Args:
            keypoints_by: what found the keypoints, for the status messages.
        """
        sinks = [poses_json(self.poses)]
        if self.tum is not None:
            sinks.append(tum_file(self.tum))
        if self.overlay is not None:
            sinks.append(overlay_video(self.overlay, bundle, source, content, folder_rate_hz))
        if self.bag is not None:
            messages = PoseMessages(typestore(), bundle, keypoints_by)
            sinks.append(pose_bag(self.bag, messages, source.path if self.copy else None))
        return sinks


def _is_read(path: Path, given: Path) -> bool:
    """Whether a path is an input or part of one; new files may lie among photographs."""
    path, given = path.resolve(), given.resolve()
    if given not in path.parents or not path.exists():
        return path == given
    return path.suffix.lower() in IMAGE_SUFFIXES or is_bag(given) or (given / MANIFEST).exists()


@contextlib.contextmanager
def overlay_video(
    path: Path, bundle: Bundle, source: Source, content: Content, folder_rate_hz: float
) -> Iterator[Sink]:
    """A video of the source with what each pose means, see `Overlay.picture`; it keeps the source's rate.

    Args:
        folder_rate_hz: pictures a second for a folder of images, which has no rate of its own.
    """
    overlay = Overlay(MapCloud(bundle), content.in_map(bundle), "m" if bundle.scale == "metric" else "")
    shape = (bundle.camera.height, bundle.camera.width)
    with video_file(path, source.rate_hz or folder_rate_hz) as write:

        def draw(frame: Frame, result: Localized | Lost) -> None:
            nonlocal shape
            if frame.image is None:  # a black picture with the reason keeps the video in step with the images
                frame = dataclasses.replace(frame, image=np.zeros(shape, np.uint8))
            shape = frame.image.shape[:2]
            write(overlay.picture(frame, result, source.rotation))

        yield draw
