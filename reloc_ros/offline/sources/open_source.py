"""What a path on the command line leads to: a folder of photographs, a video or a bag."""

from __future__ import annotations

from pathlib import Path

from reloc_ros.errors import RelocError
from reloc_ros.io.bag import is_bag
from reloc_ros.offline.sources.bag_images import BagTopic
from reloc_ros.offline.sources.frame import Recording
from reloc_ros.offline.sources.photographs import IMAGE_SUFFIXES, PhotoFolder, refuse_mixed_lenses
from reloc_ros.offline.sources.video import Video


def open_source(
    path: Path, topic: str | None = None, needs_camera: bool = True, rectified: bool | None = None
) -> PhotoFolder | Recording:
    """A folder of images, a bag (folder or file), or else a video.

    Args:
        topic: of a bag's images; needed where there are several.
        needs_camera: a bag must have the intrinsics of its images, since nobody else gives them.
        rectified: whether a bag's images are; None: as their topic's name says.

    Raises:
        RelocError: it is none of them, photographs are not of one lens, or a topic was given for what has none.
    """
    if not path.exists():
        raise RelocError(f"there is no '{path}'; give a video, a bag or a folder of images")
    if is_bag(path):
        return BagTopic(path, topic, needs_camera, rectified)
    if topic is not None:
        raise RelocError(f"'{path}' is not a bag, so it has no topic {topic}; leave --topic out")
    if path.is_dir():
        photos = PhotoFolder(path)
        refuse_mixed_lenses(photos)
        return photos
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise RelocError(f"'{path}' is a single image; give the folder that it is in")
    return Video(path)
