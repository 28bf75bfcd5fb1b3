"""The images a map is made of: a folder of photographs, or sharp frames taken from a video."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.atomic import atomic_path, write_json
from reloc_ros.errors import RelocError
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.workspace import fingerprint

Image = NDArray[np.uint8]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
JPEG_QUALITY = 95
_SHARPNESS_WIDTH = 640
"""Frames are judged at this width: at full size, sensor noise counts as sharpness."""
_WINDOW_SHARE = 2 / 3
"""The middle share of each window that is searched, so that neighbouring frames keep a distance."""


def list_photos(folder: str | Path) -> tuple[str, ...]:
    """Names of the images in a folder and those below it, relative to it, in name order."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RelocError(f"there is no image folder '{folder}'")
    names = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES
        and not _is_hidden(file.relative_to(folder))
        and file.is_file()
    )
    if not names:
        raise RelocError(f"folder '{folder}' holds no images ({', '.join(IMAGE_SUFFIXES)})")
    return tuple(names)


def read_photo(file: str | Path) -> Image:
    """Read an image as (H, W, 3) BGR, as its sensor saw it.

    A rotation noted in the EXIF data is not applied, as COLMAP does not: intrinsics belong to the sensor.
    """
    image = cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        reason = "there is no such file" if not Path(file).is_file() else "it is damaged or not an image"
        raise RelocError(f"cannot read image '{file}': {reason}")
    return image


def extract_frames(
    video: str | Path, folder: str | Path, count: int = 150, progress: Progress = silent
) -> None:
    """Write about `count` sharp, evenly spaced frames of a video to a folder, as frame_000123.jpg.

    The number is the frame's place in the video. Each comes from a window of its own, where it is the
    sharpest by the variance of its Laplacian. The folder appears when it is complete, and is kept when it
    already holds this.
    """
    video, folder = Path(video), Path(folder)
    if count < 2:
        raise RelocError(f"cannot map from {count} frames of a video; ask for 2 at least")
    if not video.is_file():
        raise RelocError(f"there is no video '{video}'")
    made_from = {"format": 1, "source": fingerprint({"video": video, "count": count})}
    if made_from.items() <= _read_notes(folder).items():
        return
    total, rate_hz = _count_frames(video)
    windows = np.linspace(0, total, min(count, total) + 1)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for index, (number, frame) in enumerate(_sharpest(video, windows)):
            _write_jpeg(temporary / f"frame_{number:06d}.jpg", frame)
            progress("extract frames", index + 1, len(windows) - 1)
        write_json(temporary / "frames.json", made_from | {"rate_hz": rate_hz})


def frame_rate_hz(folder: str | Path) -> float | None:
    """Frames a second of the video that a folder's frames were taken from; None for a folder of photographs."""
    rate_hz = _read_notes(Path(folder)).get("rate_hz")
    return float(rate_hz) if rate_hz else None


def sharpness(image: Image) -> float:
    """Variance of the Laplacian of a moderately sized grey copy; comparable between frames of one video."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if grey.shape[1] > _SHARPNESS_WIDTH:
        height = round(grey.shape[0] * _SHARPNESS_WIDTH / grey.shape[1])
        grey = cv2.resize(grey, (_SHARPNESS_WIDTH, height), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _sharpest(video: Path, windows: NDArray[np.float64]) -> Iterator[tuple[int, Image]]:
    """For each window between consecutive frame numbers, the number and image of its sharpest frame."""
    best: tuple[float, int, Image] | None = None
    window = 0
    margin = (1 - _WINDOW_SHARE) / 2 * (windows[1] - windows[0])
    for number, frame in _decode(video):
        while window + 2 < len(windows) and number >= windows[window + 1]:
            if best is not None:
                yield best[1:]
            best, window = None, window + 1
        centered = windows[window] + margin <= number + 0.5 <= windows[window + 1] - margin
        if best is None or centered:
            score = sharpness(frame) if centered else -1.0
            if best is None or score > best[0]:
                best = (score, number, frame)
    if best is not None:
        yield best[1:]


def _decode(video: Path) -> Iterator[tuple[int, Image]]:
    capture = _open(video)
    try:
        number = 0
        while True:
            read, frame = capture.read()
            if not read:
                return
            yield number, frame
            number += 1
    finally:
        capture.release()


def _count_frames(video: Path) -> tuple[int, float]:
    """The number of frames, by demuxing since what containers claim is often an estimate, and how many a second."""
    capture = _open(video)
    try:
        rate_hz = float(capture.get(cv2.CAP_PROP_FPS))
        count = 0
        while capture.grab():
            count += 1
    finally:
        capture.release()
    if count < 2:
        raise RelocError(f"video '{video}' has {count} readable frames; a map needs many")
    return count, rate_hz


def _open(video: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(video))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # as with photographs: what the sensor saw
    if not capture.isOpened():
        raise RelocError(f"cannot read '{video}' as a video")
    return capture


def _write_jpeg(file: Path, image: Image) -> None:
    if not cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise RelocError(f"cannot write '{file}'; is the disk full?")


def _read_notes(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "frames.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}  # absent or not ours: the frames are made anew


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
