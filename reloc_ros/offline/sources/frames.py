"""The images a map is made of: a folder of photographs, or sharp frames taken from a video."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.io.npz import read_npz
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.footage import Footage
from reloc_ros.offline.sources.frame_choice import Judged, MotionMeter, choose_frames, sharpness
from reloc_ros.offline.workspace import fingerprint

Image = NDArray[np.uint8]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
JPEG_QUALITY = 95
MIN_FRAMES = 3
ENDS_EARLY = 0.9
"""Containers tell their number of frames by estimate; with less than this share of them, the film was cut off."""
NOTES = "frames.json"
"""Beside the frames: what they were made from, and when they were taken."""


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


def take_frames(
    footage: Footage, folder: str | Path, judged_path: Path, count: int = 250, progress: Progress = silent
) -> str:
    """Write about `count` sharp, well-spaced frames of a video or bag to a folder, as frame_000123.jpg.

    The number is the frame's place in the video. The folder appears when it is complete, and is kept when it
    already holds this; what was found out about the frames is kept in `judged_path`.

    Returns:
        What a person should know of the film, such as that it ends early; empty when all is well.
    """
    folder = Path(folder)
    if count < MIN_FRAMES:
        raise RelocError(f"cannot map from {count} frames of a video; ask for {MIN_FRAMES} at least")
    source = fingerprint(footage.key)
    made_from = {"format": 2, "source": source, "count": count}
    notes = _read_notes(folder)
    if made_from.items() <= notes.items():
        return notes.get("remark", "")
    _refuse_foreign(folder)
    judged, remark = judge_frames(footage, judged_path, source, progress)
    chosen = choose_frames(judged, count)
    if len(chosen) < MIN_FRAMES:
        raise RelocError(_too_little(footage, judged, len(chosen)) + (f"; {remark}" if remark else ""))
    numbers = judged.numbers[chosen].tolist()
    write_frames(footage, folder, numbers, made_from | {"remark": remark}, progress)
    return remark


def write_frames(
    footage: Footage,
    folder: Path,
    numbers: Collection[int],
    notes: dict[str, Any],
    progress: Progress = silent,
) -> None:
    """Write the frames of these numbers to a folder, with its notes; it appears when it is complete."""
    stamps_ns: dict[str, int] = {}
    wanted = set(numbers)
    with atomic_path(folder) as temporary:
        temporary.mkdir(parents=True)
        for done, frame in enumerate(footage.frames(wanted)):
            name = frame_name(frame.number)
            _write_jpeg(temporary / name, frame.image)
            if frame.stamp_ns is not None:
                stamps_ns[name] = frame.stamp_ns
            progress("extract frames", done + 1, len(wanted))
        times = {"rate_hz": footage.rate_hz} | ({"stamps_ns": stamps_ns} if stamps_ns else {})
        write_json(temporary / NOTES, notes | times)


def keep_frames(
    footage: Footage, folder: Path, numbers: Collection[int], progress: Progress = silent
) -> None:
    """See that a folder holds at least the frames of these numbers of a video or bag."""
    source, notes = fingerprint(footage.key), _read_notes(folder)
    names = {frame_name(number) for number in numbers}
    if notes.get("source") == source and all((folder / name).is_file() for name in names):
        return
    _refuse_foreign(folder)
    write_frames(footage, folder, numbers, {"format": 2, "source": source}, progress)
    missing = sorted(names - set(list_photos(folder)))
    if missing:
        raise RelocError(f"{footage.name} has no frame for '{missing[0]}'; give the video that it is from")


def judge_frames(
    footage: Footage, path: Path, source: str, progress: Progress = silent
) -> tuple[Judged, str]:
    """Look at every frame once; the result is kept in a file, and a remark made if the film ends early."""
    kept = _read_judged(path, source)
    if kept is not None:
        return kept
    meter, rows, problem = MotionMeter(), [], ""
    try:
        for frame in footage.frames():
            rows.append((frame.number, sharpness(frame.image), meter.add(frame.image)))
            progress("judge frames", len(rows), max(footage.announced, len(rows)))
    except RelocError as error:
        if not rows:
            raise
        problem = str(error)
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    judged = Judged(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])
    read = len(rows)
    progress("judge frames", read, read)
    remark = ""
    if problem or read < ENDS_EARLY * footage.announced:
        cause = f" ({problem})" if problem else ""
        counted = f"{read} of the {footage.announced} frames that it announces can be read"
        remark = f"{footage.name} ends early: {counted}{cause}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, format=1, source=source, rows=table, remark=remark)
    return judged, remark


def _read_judged(path: Path, source: str) -> tuple[Judged, str] | None:
    try:
        contents = read_npz(path)
        if contents["format"] != 1 or str(contents["source"]) != source:
            return None
        table = contents["rows"]
        return Judged(table[:, 0].astype(np.int64), table[:, 1], table[:, 2]), str(contents["remark"])
    except (OSError, ValueError, KeyError):
        return None  # absent or not ours: the frames are judged anew


def _too_little(footage: Footage, judged: Judged, chosen: int) -> str:
    if len(judged.numbers) < MIN_FRAMES:
        return f"{footage.name} has {len(judged.numbers)} readable frames; a map needs many, so film longer"
    if chosen == 0:
        return f"{footage.name} does not move; film while you walk around the place"
    return (
        f"{footage.name} shows only {chosen} different views, a map needs {MIN_FRAMES} at the very least; "
        "film while you walk around the place"
    )


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / NOTES).is_file():
        raise RelocError(f"'{folder}' holds files that are not frames of reloc map; name another workspace")


FRAME_NAME = re.compile(r"frame_([0-9]{6,})\.jpg")


def frame_name(number: int) -> str:
    """What the frame at that place of a video is called."""
    return f"frame_{number:06d}.jpg"


def frame_rate_hz(folder: str | Path) -> float | None:
    """Frames a second of the video that a folder's frames were taken from; None for a folder of photographs."""
    rate_hz = _read_notes(Path(folder)).get("rate_hz")
    return float(rate_hz) if rate_hz else None


def frame_stamps_ns(folder: str | Path) -> dict[str, int]:
    """When each frame of a bag was taken, since the epoch, by its name; empty where nobody noted it."""
    return {str(name): int(stamp) for name, stamp in _read_notes(Path(folder)).get("stamps_ns", {}).items()}


def _write_jpeg(file: Path, image: Image) -> None:
    if not cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise RelocError(f"cannot write '{file}'; is the disk full?")


def _read_notes(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / NOTES).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}  # absent or not ours: the frames are made anew


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
