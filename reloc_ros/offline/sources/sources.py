"""Where `reloc run` takes its images from: a folder, a video or a bag, one at a time and in order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.bag_images import is_bag
from reloc_ros.offline.sources.frames import IMAGE_SUFFIXES, frame_name, list_photos, read_photo

Image = NDArray[np.uint8]
_USUAL_RATE_HZ = 30.0
"""For videos that do not tell theirs."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source."""

    name: str
    """What the results call it."""
    image: Image | None
    """(H, W, 3) BGR or (H, W) grey; None when it cannot be read."""
    problem: str = ""
    """Why it cannot be read."""
    stamp_ns: int | None = None
    """When it was taken: since the epoch in a bag, since its beginning in a video; None in a folder."""
    recorded_ns: int | None = None
    """When a bag recorded it."""
    camera: Camera | None = None
    """Its intrinsics, where the source knows them."""
    frame_id: str = ""
    """The camera's frame, in a bag."""


class Source(Protocol):
    """Images in their order."""

    path: Path
    rate_hz: float | None
    """Images a second; None for a folder."""
    names: tuple[str, ...] | None
    """Of all images, as far as they are known beforehand; a video may turn out shorter."""
    turn: int | None
    """How to turn an image for people to look at, as in cv2.rotate; None: not at all."""

    def frames(self) -> Iterator[Frame]: ...


def open_source(path: Path, topic: str | None = None, needs_camera: bool = True) -> Source:
    """What a path leads to: a folder of images, a bag (folder or file), or else a video.

    Args:
        topic: of a bag's images; needed where there are several.
        needs_camera: a bag must have the intrinsics of its images, since nobody else gives them.

    Raises:
        RelocError: it is none of them, or a topic was given for something that has none.
    """
    if not path.exists():
        raise RelocError(f"there is no '{path}'; give a video, a bag or a folder of images")
    if is_bag(path):
        from reloc_ros.offline.sources.bag_source import BagSource

        return BagSource(path, topic, needs_camera)
    if topic is not None:
        raise RelocError(f"'{path}' is not a bag, so it has no topic {topic}; leave --topic out")
    return PhotoFolder(path) if path.is_dir() else Video(path)


class PhotoFolder:
    """A folder's images in name order; one that cannot be read is a frame without an image."""

    rate_hz: float | None = None
    turn: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: tuple[str, ...] | None = list_photos(path)

    def frames(self) -> Iterator[Frame]:
        for name in self.names or ():
            try:
                yield Frame(name, read_photo(self.path / name))
            except RelocError as error:
                yield Frame(name, None, str(error))


class Video:
    """A video's frames, as its sensor saw them; each is named by its place, as `reloc map` names those it takes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.suffix.lower() in IMAGE_SUFFIXES:
            raise RelocError(f"'{path}' is a single image; give the folder that it is in")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said here, in a sentence
        self._capture = cv2.VideoCapture(str(path))
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # intrinsics belong to the sensor
        if not self._capture.isOpened():
            raise RelocError(f"'{path}' is neither a video that can be read, nor a bag or a folder of images")
        rate_hz = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate_hz: float | None = rate_hz if np.isfinite(rate_hz) and rate_hz > 0 else _USUAL_RATE_HZ
        announced = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.names = tuple(map(frame_name, range(announced))) if announced > 0 else None
        self.turn = _TURNS.get(round(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360)

    def frames(self) -> Iterator[Frame]:
        index, stamp_ns = 0, -1
        try:
            while True:
                read, image = self._capture.read()
                if not read:
                    return
                told_ns = round(1e6 * self._capture.get(cv2.CAP_PROP_POS_MSEC))
                # Phones vary their rate, so the frame's own time counts; some containers know none.
                stamp_ns = told_ns if told_ns > stamp_ns else stamp_ns + round(1e9 / self.rate_hz)
                yield Frame(frame_name(index), image, stamp_ns=stamp_ns)
                index += 1
        finally:
            self._capture.release()


_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
