"""One image of a source, and what every source of images offers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera

Image = NDArray[np.uint8]
FRAME_NAME = re.compile(r"frame_([0-9]{6,})\.jpg")


def frame_name(number: int) -> str:
    """What the frame at that place of a video or bag, counted from zero, is called."""
    return f"frame_{number:06d}.jpg"


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source."""

    name: str
    """What the results call it: of a photograph its file, else `frame_name`."""
    image: Image | None
    """(H, W, 3) BGR, as the sensor saw it; None when it cannot be read."""
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
    rotation: int | None
    """How to turn an image for people to look at, as in cv2.rotate; None: not at all."""

    def frames(self) -> Iterator[Frame]:
        """All images, with those that cannot be read; a source that is damaged raises where it breaks off."""
        ...


class Recording(Source, Protocol):
    """A video, or the images of a bag's topic."""

    title: str
    """For messages to people."""
    key: dict[str, object]
    """What tells it from others, for `fingerprint`."""
    top: str | None
    """The side of its images that is up, left, right, top or bottom; None where it does not tell."""

    def frames(self, wanted: Collection[int] | None = None) -> Iterator[Frame]:
        """All frames, or only those at some places, counted from zero."""
        ...
