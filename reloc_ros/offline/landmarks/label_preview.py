"""Labels as pictures: all map images on one sheet, and one after the other in a video."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.inference.letterbox import Letterbox
from reloc_ros.io.atomic import atomic_path
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.running.video_writer import video_writer

Image = NDArray[np.uint8]
Size = tuple[int, int]
"""Width and height, pixels."""

COLORS = {
    Visibility.UNKNOWN: (165, 165, 165),
    Visibility.HIDDEN: (50, 50, 230),
    Visibility.SEEN: (255, 120, 20),
}
"""BGR: grey, red and blue; drawn in this order, what is seen on top."""
BLACK = (0, 0, 0)
TILE_PX, SHEET_PX = 320, 4800
"""Longer side of a picture on the sheet, and width of the sheet, at most."""
SHEET_ASPECT = 4 / 3
VIDEO_PX = 960
"""Longer side of the pictures in the video."""
RATE_HZ, HOLD_FRAMES = 10, 6
"""Each image stays for so many frames: some players stumble over a video of one or two frames a second."""


def write_preview(
    labels: Labels, images: Iterable[Image], size: Size, sheet: Path, video: Path, progress: Progress = silent
) -> None:
    """Write the sheet (PNG) and the video (MPEG-4 in .mp4), each atomically.

    Blue dots are seen, red ones hidden, grey ones may be either; a landmark outside an image has none.

    Args:
        images: (H, W, 3) BGR of `labels.names`, in that order, read one by one.
        size: of most of them; others are fitted into it.
    """
    if not labels.names:
        raise RelocError("there is no labelled image to preview; run reloc label first")
    count = len(labels.names)
    columns = math.ceil(math.sqrt(count * SHEET_ASPECT * size[1] / size[0]))
    tile = _even(size, min(TILE_PX, SHEET_PX // columns * max(size) // size[0]))
    frame = _even(size, VIDEO_PX)
    tiles: list[Image] = []
    with video_writer(video, RATE_HZ) as write:
        for index, image in enumerate(images):
            tiles.append(labelled_picture(image, labels, index, tile))
            shown = labelled_picture(image, labels, index, frame)
            for _ in range(HOLD_FRAMES):
                write(shown)
            progress("preview", index + 1, count)
    tiles += [np.full_like(tiles[0], 255)] * (-count % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    with atomic_path(sheet) as temporary:
        if not cv2.imwrite(str(temporary), np.vstack(rows)):
            raise RelocError(f"cannot write '{sheet}'; is the disk full?")


def labelled_picture(image: Image, labels: Labels, index: int, size: Size) -> Image:
    """One image, fitted into `size`, with its dots, and below it how many there are of each kind, and its name."""
    height, width = image.shape[:2]
    fit = Letterbox(width, height, *size)
    picture = fit.apply(image).copy()
    pixels = (labels.keypoints_px[index] + 0.5) / fit.source_per_network - 0.5 + fit.offset
    with np.errstate(invalid="ignore"):
        inside = (
            (labels.keypoints_px[index] >= -0.5) & (labels.keypoints_px[index] < (width - 0.5, height - 0.5))
        ).all(1)
    counts = {}
    for state, color in COLORS.items():
        chosen = np.flatnonzero(inside & (labels.visibility[index] == state))
        counts[state] = len(chosen)
        for x, y in pixels[chosen]:
            _dot(picture, x, y, max(2.0, max(size) / 240), color)
    return np.vstack([picture, _caption(labels.names[index], counts, size)])


def _dot(picture: Image, x: float, y: float, radius_px: float, color: tuple[int, int, int]) -> None:
    for more_px, filling in ((1.0, BLACK), (0.0, color)):
        center = round(16 * x), round(16 * y)  # in sixteenths of a pixel
        cv2.circle(picture, center, round(16 * (radius_px + more_px)), filling, -1, cv2.LINE_AA, shift=4)


def _caption(name: str, counts: dict[Visibility, int], size: Size) -> Image:
    scale = max(size) / 960
    strip = np.full((2 * round(14 * scale + 4), size[0], 3), 255, np.uint8)
    words = [(f"{counts[state]} {state.name.lower()}", COLORS[state]) for state in reversed(COLORS)]
    words.append((name, BLACK))  # last: a long one is cut off
    x, y = round(8 * scale), round(0.7 * len(strip))
    for word, color in words:
        cv2.putText(strip, word, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8 * scale, color, 1, cv2.LINE_AA)
        x += cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, 0.8 * scale, 1)[0][0] + round(24 * scale)
    return strip


def _even(size: Size, longer_px: int) -> Size:
    """The size scaled to a longer side of `longer_px`, both sides even: video formats halve the colours."""
    scale = longer_px / max(size)
    width, height = (max(2, 2 * round(side * scale / 2)) for side in size)
    return width, height
