"""Keypoints that were detected elsewhere, to be localized by instead of the network's."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.io.nested_text import read_json
from reloc_ros.localizer import Keypoints

SIGMA_PX = 2.0
"""Standard deviation of each coordinate, in the image's pixels, where nothing better is known."""


@dataclasses.dataclass(frozen=True, eq=False)
class Detections:
    """What was detected in each image."""

    path: Path
    by_image: Mapping[str, NDArray[np.float64]]
    """Name of the image to (K, 3): x, y in its pixels and a confidence from 0 to 1; the bundle's landmarks in order."""
    sigma_px: float = SIGMA_PX

    def keypoints(self, image: str) -> Keypoints | None:
        """Those of one image; None where the file has no entry for it."""
        rows = self.by_image.get(image)
        if rows is None:
            return None
        sigmas_px = np.full(len(rows), self.sigma_px)
        return Keypoints(np.arange(len(rows)), rows[:, :2], rows[:, 2], sigmas_px)


def read_detections(
    path: Path, landmarks: int, images: Sequence[str] | None, sigma_px: float = SIGMA_PX
) -> Detections:
    """Read `{"frame_001.png": [[x, y, confidence], …]}`: a row for each landmark of the bundle, in its order.

    The centre of the top-left pixel is (0, 0). A landmark that was not detected has the confidence 0.

    Args:
        landmarks: how many the bundle has.
        images: names of the source's images, which the file's are matched with: as they are, or, where that is
            unambiguous, without folder or without suffix. None: not known, all names are taken as they are.

    Raises:
        RelocError: the file cannot be read, has another number of rows, an image that the source has not, or
            numbers that are not finite or not in their range.
    """
    if not (np.isfinite(sigma_px) and sigma_px > 0):
        raise RelocError(f"the detections' sigma must be above 0 pixels, got {sigma_px}")
    content = _read(path)
    names = {name: name for name in content} if images is None else _matched(path, list(content), images)
    by_image = {names[name]: _rows(path, name, rows, landmarks) for name, rows in content.items()}
    if len(by_image) < len(content):
        raise RelocError(f"detections '{path}' name one image more than once, by different names")
    return Detections(path, by_image, sigma_px)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise RelocError(f"cannot read detections '{path}' as JSON ({error})") from error
    if not isinstance(content, dict) or not content:
        raise RelocError(f"detections '{path}' must be {{\"image.png\": [[x, y, confidence], …]}}")
    return content


def _matched(path: Path, named: Sequence[str], images: Sequence[str]) -> dict[str, str]:
    """Each of the file's names to the source's."""
    tables = [{image: image for image in images}]
    for part in ("name", "stem"):
        counts = collections.Counter(getattr(PurePosixPath(image), part) for image in images)
        short = {image: getattr(PurePosixPath(image), part) for image in images}
        tables.append({key: image for image, key in short.items() if counts[key] == 1})
    found: dict[str, str] = {}
    for name in named:
        keys = (name, PurePosixPath(name).name, PurePosixPath(name).stem)
        image = next((table[key] for table, key in zip(tables, keys, strict=True) if key in table), None)
        if image is None:
            raise RelocError(
                f"detections '{path}' are of an image '{name}', which is not among the {len(images)} from "
                f"'{images[0]}' to '{images[-1]}'"
            )
        found[name] = image
    return found


def _rows(path: Path, name: str, rows: Any, landmarks: int) -> NDArray[np.float64]:
    if not isinstance(rows, list) or len(rows) != landmarks:
        count = len(rows) if isinstance(rows, list) else "no"
        raise RelocError(
            f"detections '{path}' have {count} rows for '{name}', but the bundle has {landmarks} landmarks; "
            "give one row for each, in its order, with confidence 0 where it was not detected"
        )
    try:
        numbers = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.shape != (landmarks, 3):
        raise RelocError(f"detections '{path}' have rows for '{name}' that are not [x, y, confidence]")
    bad = ~np.isfinite(numbers).all(axis=1) | (numbers[:, 2] < 0) | (numbers[:, 2] > 1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise RelocError(
            f"detections '{path}' have {rows[row]} in row {row} of '{name}'; x and y must be finite, "
            "the confidence from 0 to 1"
        )
    return numbers
