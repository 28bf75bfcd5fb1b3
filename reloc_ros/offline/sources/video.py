"""The frames of a video file, and how it says that it is to be turned."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.frame import Frame, frame_name
from reloc_ros.offline.sources.mp4_track import read_mp4_track

_USUAL_RATE_HZ = 30.0
"""For videos that do not tell theirs."""
_TOPS = {90: "left", 180: "bottom", 270: "right"}
"""The side that is up, by the clockwise turn in degrees that shows a picture upright."""
_ROTATIONS = {
    "left": cv2.ROTATE_90_CLOCKWISE,
    "bottom": cv2.ROTATE_180,
    "right": cv2.ROTATE_90_COUNTERCLOCKWISE,
}
_WHOLE_SHARE = 0.99
"""A video whose pictures reach this far into the time that it announces is whole, however many they are."""


class Video:
    """A video file, in any format that ffmpeg reads; its frames are given as the sensor saw them."""

    def __init__(self, path: Path) -> None:
        """Look into it.

        Raises:
            RelocError: it is no video.
        """
        self.path, self.title = path, f"video '{path}'"
        self.key: dict[str, object] = {"video": path}
        capture = self._open()
        rate_hz = float(capture.get(cv2.CAP_PROP_FPS))
        tells_rate = bool(np.isfinite(rate_hz) and rate_hz > 0)
        self.rate_hz: float | None = rate_hz if tells_rate else _USUAL_RATE_HZ
        announced = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        turn_deg = round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        capture.release()
        track = read_mp4_track(path)
        shown_s = None if track is None else track.shown_s
        if tells_rate and announced and shown_s is not None:  # the rest was cut away and is not shown
            announced = min(announced, max(1, round(shown_s * rate_hz)))
        self._announced_s = announced / rate_hz if tells_rate else 0.0
        self.names = tuple(map(frame_name, range(announced))) if announced else None
        self.top: str | None = _TOPS.get(turn_deg) if track is None else track.top
        self.rotation = _ROTATIONS.get(self.top or "top")

    def frames(self, wanted: Collection[int] | None = None) -> Iterator[Frame]:
        capture = self._open()
        last = None if wanted is None else max(wanted, default=-1)
        number, stamp_ns = 0, -1
        try:
            while (last is None or number <= last) and capture.grab():
                told_ns = round(1e6 * capture.get(cv2.CAP_PROP_POS_MSEC))
                # Phones vary their rate, so the frame's own time counts; some containers know none.
                stamp_ns = told_ns if told_ns > stamp_ns else stamp_ns + round(1e9 / self.rate_hz)
                if wanted is None or number in wanted:
                    decoded, image = capture.retrieve()
                    if not decoded:
                        return
                    yield Frame(frame_name(number), image, stamp_ns=stamp_ns)
                number += 1
            if wanted is None and stamp_ns + 1e9 / self.rate_hz >= 1e9 * _WHOLE_SHARE * self._announced_s > 0:
                # It is whole; of a varying rate many containers tell the number by duration and rate alone.
                self.names = tuple(map(frame_name, range(number)))
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said here, in a sentence
        capture = cv2.VideoCapture(str(self.path))
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # as with photographs: intrinsics belong to the sensor
        if not capture.isOpened():
            raise RelocError(
                f"'{self.path}' is neither a video that can be read, nor a bag or a folder of images; if a recording "
                "was cut off, its index is missing, and it must be repaired or filmed again"
            )
        return capture
