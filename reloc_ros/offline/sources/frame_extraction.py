"""Write the frames of a video or bag that a map is made from to a folder, with frames.json beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.io.npz import read_npz
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.exif import picture_tops
from reloc_ros.offline.sources.frame import Image, Recording, frame_name
from reloc_ros.offline.sources.frame_choice import Judged, MotionMeter, choose_frames, sharpness
from reloc_ros.offline.sources.photographs import list_photos
from reloc_ros.offline.workspace import fingerprint

JPEG_QUALITY = 95
MIN_FRAMES = 3
ENDS_EARLY = 0.9
"""Containers tell their number of frames by estimate; with less than this share of them, it was cut off."""
NOTES = "frames.json"
"""Beside the frames: what they were made from, when they were taken, and which side of them is up."""
FORMAT = 3


def take_frames(
    recording: Recording, folder: str | Path, judged_path: Path, count: int = 250, progress: Progress = silent
) -> str:
    """Write about `count` sharp, well-spaced frames of a video or bag to a folder, as frame_000123.jpg.

    The number is the frame's place in the video. The folder appears when it is complete, and is kept when it
    already holds this; what was found out about the frames is kept in `judged_path`.

    Returns:
        What a person should know of it, such as that it ends early; empty when all is well.
    """
    folder = Path(folder)
    if count < MIN_FRAMES:
        raise RelocError(f"cannot map from {count} frames of a video; ask for {MIN_FRAMES} at least")
    source = fingerprint(recording.key)
    made_from = {"format": FORMAT, "source": source, "count": count}
    notes = read_notes(folder)
    if made_from.items() <= notes.items():
        return notes.get("remark", "")
    _refuse_foreign(folder)
    judged, remark = judge_frames(recording, judged_path, source, progress)
    chosen = choose_frames(judged, count)
    if len(chosen) < MIN_FRAMES:
        raise RelocError(_too_little(recording, judged, len(chosen)) + (f"; {remark}" if remark else ""))
    numbers = judged.numbers[chosen].tolist()
    write_frames(recording, folder, numbers, made_from | {"remark": remark}, progress)
    return remark


def write_frames(
    recording: Recording,
    folder: Path,
    numbers: Collection[int],
    notes: dict[str, Any],
    progress: Progress = silent,
) -> None:
    """Write the frames of these numbers to a folder, with its notes; it appears when it is complete."""
    times: dict[str, dict[str, int]] = {"stamps_ns": {}, "times_ns": {}}
    wanted = set(numbers)
    with atomic_path(folder) as temporary:
        temporary.mkdir(parents=True)
        for done, frame in enumerate(recording.frames(wanted)):
            if frame.image is not None:
                _write_jpeg(temporary / frame.name, frame.image)
                # A bag knows the time since the epoch, a video that since its beginning.
                times["times_ns" if frame.recorded_ns is None else "stamps_ns"][frame.name] = frame.stamp_ns
            progress("extract frames", done + 1, len(wanted))
        write_json(temporary / NOTES, {**notes, "top": recording.top, **times})


def keep_frames(
    recording: Recording, folder: Path, numbers: Collection[int], progress: Progress = silent
) -> None:
    """See that a folder holds at least the frames of these numbers of a video or bag."""
    source, notes = fingerprint(recording.key), read_notes(folder)
    names = {frame_name(number) for number in numbers}
    known = {"format": FORMAT, "source": source}
    if known.items() <= notes.items() and all((folder / name).is_file() for name in names):
        return
    _refuse_foreign(folder)
    write_frames(recording, folder, numbers, known, progress)
    missing = sorted(names - set(list_photos(folder)))
    if missing:
        raise RelocError(f"{recording.title} has no frame for '{missing[0]}'; give the video that it is from")


def judge_frames(
    recording: Recording, path: Path, source: str, progress: Progress = silent
) -> tuple[Judged, str]:
    """Look at every frame once; the result is kept in a file, and a remark made if the film ends early."""
    kept = _read_judged(path, source)
    if kept is not None:
        return kept
    meter, rows, problem = MotionMeter(), [], ""
    try:
        for number, frame in enumerate(recording.frames()):
            if frame.image is not None:
                rows.append((number, sharpness(frame.image), meter.add(frame.image)))
                progress("judge frames", len(rows), max(len(recording.names or ()), len(rows)))
    except RelocError as error:
        if not rows:
            raise
        problem = str(error)
    read, announced = len(rows), len(recording.names or ())
    progress("judge frames", read, read)
    remark = ""
    if problem or read < ENDS_EARLY * announced:
        cause = f" ({problem})" if problem else ""
        counted = f"{read} of the {announced} frames that it announces can be read"
        remark = f"{recording.title} ends early: {counted}{cause}"
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, format=1, source=source, rows=table, remark=remark)
    return _judged(table), remark


def _read_judged(path: Path, source: str) -> tuple[Judged, str] | None:
    try:
        contents = read_npz(path)
        if contents["format"] != 1 or str(contents["source"]) != source:
            return None
        return _judged(contents["rows"]), str(contents["remark"])
    except (OSError, ValueError, KeyError):
        return None  # absent or not ours: the frames are judged anew


def _judged(table: NDArray[np.float64]) -> Judged:
    return Judged(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])


def _too_little(recording: Recording, judged: Judged, chosen: int) -> str:
    if len(judged.numbers) < MIN_FRAMES:
        return (
            f"{recording.title} has {len(judged.numbers)} readable frames; a map needs many, so film longer"
        )
    if chosen == 0:
        return f"{recording.title} does not move; film while you walk around the place"
    return (
        f"{recording.title} shows only {chosen} different views, a map needs {MIN_FRAMES} at the very least; "
        "film while you walk around the place"
    )


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / NOTES).is_file():
        raise RelocError(f"'{folder}' holds files that are not frames of reloc map; name another workspace")


@dataclass(frozen=True)
class FrameNotes:
    """What a map's folder of images knows of those that are frames of a video or bag, each by its name."""

    stamps_ns: dict[str, int]
    """When frames of bags were taken, since the epoch."""
    times_ns: dict[str, int]
    """When those of a video were taken, since it began; of several videos none, as each has a beginning of its own."""
    tops: dict[str, str]
    """The side that is up, where a video tells."""


def read_frame_notes(images_dir: str | Path) -> FrameNotes:
    """Of one recording, of sources with a folder each, or of both; empty for photographs."""
    images_dir = Path(images_dir)
    root = read_notes(images_dir)
    parts = {"": root, **{f"{label}/": read_notes(images_dir / label) for label in root.get("sources", ())}}

    def merged(key: str) -> dict[str, int]:
        return {
            prefix + name: int(time_ns)
            for prefix, part in parts.items()
            for name, time_ns in (part.get(key) or {}).items()
        }

    stamps_ns, times_ns = merged("stamps_ns"), merged("times_ns")
    videos = sum(bool(part.get("times_ns")) for part in parts.values())
    tops = {
        prefix + name: part["top"]
        for prefix, part in parts.items()
        if part.get("top")
        for name in part.get("times_ns") or ()
    }
    return FrameNotes(stamps_ns, times_ns if videos == 1 else {}, tops)


def noted_tops(images_dir: Path, names: Sequence[str]) -> dict[str, str]:
    """The side that is up of those images, frames and photographs, of which it was noted."""
    frames = read_frame_notes(images_dir).tops
    return {**picture_tops(images_dir, [name for name in names if name not in frames]), **frames}


def _write_jpeg(file: Path, image: Image) -> None:
    if not cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise RelocError(f"cannot write '{file}'; is the disk full?")


def read_notes(folder: Path) -> dict[str, Any]:
    """What a folder's frames.json says; nothing where there is none."""
    try:
        return dict(read_json(folder / NOTES))
    except (OSError, ValueError, TypeError):
        return {}  # absent or not ours: the frames are made anew
