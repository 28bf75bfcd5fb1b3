"""What `reloc map` was given, brought together: one folder of images, in groups that were taken in one go."""

from __future__ import annotations

import itertools
import os
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import write_json
from reloc_ros.io.bag import is_bag
from reloc_ros.io.camera_files import colmap_from_camera
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.bag_images import BagTopic
from reloc_ros.offline.sources.copies import refuse_dataset
from reloc_ros.offline.sources.exif import photo_kind
from reloc_ros.offline.sources.frame import Recording
from reloc_ros.offline.sources.frame_extraction import FORMAT, NOTES, take_frames
from reloc_ros.offline.sources.open_source import open_source
from reloc_ros.offline.sources.photographs import (
    PhotoFolder,
    copy_name,
    list_photos,
    other_kinds,
    write_copy,
)

DEFAULT_FRAMES = 250


@dataclass(frozen=True)
class Group:
    """Images that one camera took in one go."""

    label: str
    names: tuple[str, ...]
    in_sequence: bool
    """They are the frames of a video, in order."""
    camera: Camera | None = None
    """Its intrinsics where they are known, to be kept as they are."""


@dataclass(frozen=True)
class SourceOptions:
    """How to read the sources."""

    frames: int = DEFAULT_FRAMES
    """About how many to take from each video or bag."""
    topic: str | None = None
    """The images of a bag; needed where it has several."""
    bag_camera: bool = False
    """The camera_info of a bag holds for its images."""
    rectified: bool | None = None
    """Whether a bag's images are rectified; None: as their topic's name says."""


@dataclass(frozen=True)
class Gathered:
    """All images of a map."""

    images_dir: Path
    groups: tuple[Group, ...]
    """One for each source."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the sources."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(name for group in self.groups for name in group.names))


def gather(
    sources: Sequence[str | Path],
    root: Path,
    options: SourceOptions | None = None,
    progress: Progress = silent,
    for_colmap: bool = True,
) -> Gathered:
    """Take frames from videos and bags, and list photographs.

    The photographs of a single folder stay where they are, if COLMAP reads all of them as we do. Otherwise, and of
    several sources, each source gets a folder of its own below `root`/frames, to which photographs are linked, or
    copied in a format that COLMAP reads.

    Args:
        root: the workspace's folder.
        for_colmap: COLMAP is going to read the images.
    """
    paths, options = [Path(source) for source in sources], options or SourceOptions()
    opened = [open_map_source(path, options) for path in paths]
    for asked, name in ((options.topic, "--topic"), (options.bag_camera, "--bag-camera")):
        if asked and not any(isinstance(source, BagTopic) for source in opened):
            raise RelocError(f"none of the sources is a bag, so leave {name} out")
    cameras = [_recorded_camera(source) if options.bag_camera else None for source in opened]
    copied = [_copies(source) if for_colmap and isinstance(source, PhotoFolder) else {} for source in opened]
    if len(opened) == 1 and not copied[0]:
        return _one(opened[0], cameras[0], root, options, progress)
    labels = _labels(paths)
    groups, remarks = [], []
    _clear(root / "frames", labels)
    for source, camera, label, copies in zip(opened, cameras, labels, copied, strict=True):
        folder = root / "frames" / label
        if isinstance(source, PhotoFolder):
            _link(source, folder, copies, _named(progress, label))
            remarks += [_skipped(source), _converted(source, copies, folder)]
        else:
            judged = root / "judged" / f"{label}.npz"
            remarks.append(take_frames(source, folder, judged, options.frames, _named(progress, label)))
        placed = tuple(f"{label}/{name}" for name in list_photos(folder))
        groups.append(Group(label, placed, not isinstance(source, PhotoFolder), camera))
    write_json(root / "frames" / NOTES, {"format": FORMAT, "sources": labels})
    return Gathered(root / "frames", tuple(groups), tuple(filter(None, remarks)))


def _one(
    source: PhotoFolder | Recording,
    camera: Camera | None,
    root: Path,
    options: SourceOptions,
    progress: Progress,
) -> Gathered:
    label, frames = source.path.name, root / "frames"
    if isinstance(source, PhotoFolder):
        group = Group(label, source.names, False, camera)
        return Gathered(source.path, (group,), tuple(filter(None, [_skipped(source)])))
    for left in root.glob(".new-*-frames"):  # by a run that was killed
        shutil.rmtree(left)
    remark = take_frames(source, frames, root / "judged" / "frames.npz", options.frames, progress)
    return Gathered(frames, (Group(label, list_photos(frames), True, camera),), (remark,) if remark else ())


def _recorded_camera(source: PhotoFolder | Recording) -> Camera | None:
    if not isinstance(source, BagTopic):
        return None
    camera = source.intrinsics("leave --bag-camera out")
    colmap_from_camera(camera)  # refuses what COLMAP cannot take, before hours of work
    return camera


def open_map_source(path: Path, options: SourceOptions) -> PhotoFolder | Recording:
    """What `open_source` makes of a path; a folder holds photographs alone, and a bag needs no intrinsics."""
    topic = options.topic if is_bag(path) else None
    source = open_source(path, topic, needs_camera=False, rectified=options.rectified)
    if isinstance(source, PhotoFolder):
        refuse_dataset(source)
    return source


def _copies(photos: PhotoFolder) -> dict[str, str]:
    """What the copies are called of those photographs that need one, by their names."""
    names = {name: copy_name(photos.path, name) for name in photos.names}
    return {name: copy for name, copy in names.items() if copy is not None}


def _skipped(photos: PhotoFolder) -> str:
    kinds = other_kinds(photos.path)
    return f"'{photos.path}' also holds other files, which were skipped: {kinds}" if kinds else ""


def _converted(photos: PhotoFolder, copies: Mapping[str, str], folder: Path) -> str:
    if not copies:
        return ""
    counts = Counter(photo_kind(photos.path / name) for name in copies)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return f"{kinds} images of '{photos.path}' that COLMAP does not read as they are were converted into '{folder}'"


def _labels(paths: Sequence[Path]) -> list[str]:
    """A short name for each source, by its file; unlike each other."""
    resolved = [path.resolve() for path in paths]
    labels: list[str] = []
    for index, path in enumerate(resolved):
        if path in resolved[:index]:
            raise RelocError(f"'{paths[index]}' is given twice; give each source once")
        labels.append(unlike((path.name if path.is_dir() else path.stem).lstrip(".") or "source", labels))
    return labels


def unlike(label: str, taken: Collection[str]) -> str:
    """The label, or with the first number behind it that makes it another than those taken."""
    numbered = (f"{label}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([label], numbered) if name not in taken)


def _clear(frames: Path, labels: Sequence[str]) -> None:
    """Remove what a map of other sources left."""
    if not frames.is_dir():
        return
    if any(frames.iterdir()) and not (frames / NOTES).is_file():
        partial = {child.name for child in frames.iterdir()} - {*labels}
        if any(not name.startswith(".") for name in partial):
            raise RelocError(f"'{frames}' holds files that are not of reloc map; name another workspace")
    for child in frames.iterdir():
        if child.is_dir() and child.name not in labels:
            shutil.rmtree(child)
        elif child.is_file():
            child.unlink()


def _link(photos: PhotoFolder, folder: Path, copies: Mapping[str, str], progress: Progress) -> None:
    """Make a folder hold the same photographs, without copying them where they may stay as they are."""
    placed = {copies.get(name, name) for name in photos.names}
    for done, name in enumerate(photos.names):
        source, target = photos.path / name, folder / copies.get(name, name)
        if target.exists() and target.stat().st_mtime_ns == source.stat().st_mtime_ns:
            continue
        if name in copies:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_copy(source, target)
            progress("convert images", done + 1, len(photos.names))
        else:
            link_photo(source, target)
    for name in set(list_photos(folder)) - placed:
        (folder / name).unlink()


def link_photo(source: Path, target: Path) -> None:
    """Make a file be at another place as well, without copying it where it may stay as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)


def _named(progress: Progress, label: str) -> Progress:
    return lambda phase, done, total: progress(f"{phase}, {label}", done, total)
