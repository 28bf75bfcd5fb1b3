"""Which frames of a video to map from: those that are sharp, spread evenly over what the camera moved.

Not every n-th: where the camera stands still one frame says all, where it moves fast each one counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.sources.frame import Image

MIN_SPACING = 0.015
"""Frames that moved by less of the picture's width show the same, and have no base to triangulate from."""
_SHARPNESS_WIDTH = 640
"""Frames are judged at this width: at full size, sensor noise counts as sharpness."""
_MOTION_WIDTH = 320
_CORNERS = 200
_MIN_TRACKS = 12
_SAME_CORNER = 20.0
"""A corner whose surroundings differ by more grey levels a pixel from one frame to the next is another one."""
_TRACKING_NOISE = 0.004
"""What corners move in a picture that does not, by noise and compression; of the picture's width."""
_NEW_CORNERS_AFTER = 0.05
_LOST_TRACK_MOTION = 0.25
"""What a frame counts as moved in which no corner was found again: fast motion, or a cut."""
_WINDOW_SHARE, _OFF_CENTER = 2 / 3, 0.6
"""Outside of the middle share of its window a frame counts for less, so that neighbours keep a distance."""
_NEIGHBOURS = 15
"""Sharpness is relative to that of about so many frames around: what is in view changes it as much as blur."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What is known of N frames of a video, in their order."""

    numbers: NDArray[np.int64]
    """(N,) the place of each in the video."""
    sharpness: NDArray[np.float64]
    """(N,)"""
    moved: NDArray[np.float64]
    """(N,) how far the picture has moved since the first frame, in picture widths; never falling."""


class MotionMeter:
    """How far a picture has moved since the beginning, by corners that are tracked from frame to frame.

    Displacements are taken from the frame where the corners were found, not from the frame before, so that
    noise does not add up while the camera stands still.
    """

    def __init__(self) -> None:
        self._previous: Image | None = None
        self._start = self._tracked = np.zeros((0, 2), np.float32)
        self._found = 0
        self._before = 0.0
        self.moved = 0.0

    def add(self, image: Image) -> float:
        """Take the next frame; returns `moved` in picture widths."""
        grey = _small_grey(image, _MOTION_WIDTH)
        if self._previous is None or self._previous.shape != grey.shape:
            self._find_corners(grey)
            return self.moved
        if self._found < _MIN_TRACKS:  # nothing to see; once there is, the camera has moved
            self._find_corners(grey)
            self._before += _LOST_TRACK_MOTION if self._found >= _MIN_TRACKS else 0.0
            self.moved = self._before
            return self.moved
        self._track(grey)
        if len(self._tracked) < _MIN_TRACKS:
            shift = _LOST_TRACK_MOTION
        else:
            shift = float(np.median(np.linalg.norm(self._tracked - self._start, axis=1))) / grey.shape[1]
        shift = shift if shift > _TRACKING_NOISE else 0.0
        self.moved = max(self.moved, self._before + shift)
        if shift > _NEW_CORNERS_AFTER or 2 * len(self._tracked) < self._found:
            self._find_corners(grey)
        self._previous = grey
        return self.moved

    def _find_corners(self, grey: Image) -> None:
        corners = cv2.goodFeaturesToTrack(grey, _CORNERS, 0.01, 8)
        self._start = np.zeros((0, 2), np.float32) if corners is None else corners.reshape(-1, 2)
        self._tracked, self._found = self._start, len(self._start)
        self._before, self._previous = self.moved, grey

    def _track(self, grey: Image) -> None:
        if len(self._tracked) == 0:
            return
        points, found, differences = cv2.calcOpticalFlowPyrLK(
            self._previous, grey, self._tracked[:, None], None, winSize=(15, 15), maxLevel=3
        )
        points = points.reshape(-1, 2)
        inside = np.all((points >= 0) & (points < grey.shape[::-1]), axis=1)
        kept = (found.ravel() == 1) & (differences.ravel() < _SAME_CORNER) & inside
        self._start, self._tracked = self._start[kept], points[kept]


def sharpness(image: Image) -> float:
    """Variance of the Laplacian of a moderately sized grey copy; comparable between frames of one video."""
    return float(cv2.Laplacian(_small_grey(image, _SHARPNESS_WIDTH), cv2.CV_32F).var())


def choose_frames(judged: Judged, count: int) -> NDArray[np.int64]:
    """Indices of about `count` of the judged frames; fewer where the camera moved little, none where it stood.

    The way that the picture moved is cut into equal windows, and each gives the frame that is sharpest for its
    neighbourhood.
    """
    steps = np.diff(judged.moved, prepend=judged.moved[:1])
    if not steps.any():
        return np.zeros(0, dtype=np.int64)
    spacing = _spacing(steps, count)
    way = np.cumsum(np.minimum(steps, spacing)) / spacing
    windows = np.minimum(np.floor(way + 1e-9).astype(np.int64), count - 1)
    off_center = np.abs(way - windows - 0.5) > _WINDOW_SHARE / 2
    score = judged.sharpness / _around(judged.sharpness) * np.where(off_center, _OFF_CENTER, 1.0)
    order = np.lexsort([-score, windows])
    _, first = np.unique(windows[order], return_index=True)
    return np.sort(order[first])


def _spacing(steps: NDArray[np.float64], count: int) -> float:
    """How far frames are to be apart, in picture widths; a cut can only be one frame, however far it went."""
    spacing = steps.sum() / count
    for _ in range(50):
        spacing = max(np.minimum(steps, spacing).sum() / count, MIN_SPACING)
    return float(spacing)


def _around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) the median of each value's neighbourhood, above zero."""
    half = min(_NEIGHBOURS // 2, (len(values) - 1) // 2)
    padded = np.pad(values, half, mode="reflect" if half else "edge")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    return np.maximum(medians, 1e-9)


def _small_grey(image: Image, width: int) -> Image:
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if grey.shape[1] <= width:
        return grey
    height = max(1, round(grey.shape[0] * width / grey.shape[1]))
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
