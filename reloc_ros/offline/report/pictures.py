"""Photographs for the page: read once in a while, made small, and written into it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import read_map_photo

Image = NDArray[np.uint8]
Color = tuple[int, int, int]

GREEN, RED, WHITE, BLACK = (90, 200, 70), (70, 70, 235), (255, 255, 255), (0, 0, 0)
TRUE, ESTIMATED = (255, 200, 60), (60, 170, 255)
"""BGR, told apart with any colour vision by their brightness and shape."""


class Photos:
    """The photographs of a map; those that are no longer there are noted, not missed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.missing: list[str] = []

    def read(self, model: SfmModel, image: int) -> Image | None:
        """The photograph of one of a model's images, or None unless it has the size that it was mapped with."""
        try:
            return read_map_photo(self.folder, model, image)
        except RelocError:
            if model.names[image] not in self.missing:
                self.missing.append(model.names[image])
            return None


def data_uri(image: Image, quality: int = 75) -> str:
    """A picture as a WebP that needs no file."""
    written, data = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not written:
        raise RelocError(f"OpenCV cannot write an image of shape {image.shape} as WebP; install one that can")
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode()


def flat_uri(image: NDArray[np.uint8]) -> str:
    """A drawing, BGR or with alpha, as PNG: without loss, and small where its colours are few."""
    data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()


def shrink(image: Image, width: int) -> tuple[Image, float]:
    """At most `width` wide, and by what factor it was made smaller."""
    factor = min(1.0, width / image.shape[1])
    if factor == 1:
        return image.copy(), 1.0
    size = (round(factor * image.shape[1]), max(1, round(factor * image.shape[0])))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor


def patch(image: Image, center_px: NDArray, half_px: float, size: int) -> Image:
    """A square of the picture around a place, `size` pixels across; beyond its edge, the edge goes on."""
    grown = max(1, round(2 * half_px))
    cut = cv2.getRectSubPix(image, (grown, grown), tuple(map(float, center_px)))
    how = cv2.INTER_AREA if grown > size else cv2.INTER_LINEAR
    return cv2.resize(cut, (size, size), interpolation=how)


def tick_marks(square: Image, color: Color = WHITE) -> None:
    """Point at the middle of a patch from its four edges, in place."""
    middle, length = square.shape[0] // 2, square.shape[0] // 7
    far = square.shape[0] - 1
    for start, end in ((0, length), (far - length, far)):
        cv2.line(square, (middle, start), (middle, end), color, 1)
        cv2.line(square, (start, middle), (end, middle), color, 1)


def ring(picture: Image, center_px: Sequence[float], radius: int, color: Color) -> None:
    """A circle that shows on any ground, in place."""
    center = round(float(center_px[0])), round(float(center_px[1]))
    cv2.circle(picture, center, radius, BLACK, 3, cv2.LINE_AA)
    cv2.circle(picture, center, radius, color, 2, cv2.LINE_AA)


def spot(picture: Image, center_px: Sequence[float], color: Color, radius: int = 3) -> None:
    """A filled circle that shows on any ground, in place."""
    center = round(float(center_px[0])), round(float(center_px[1]))
    cv2.circle(picture, center, radius + 1, BLACK, -1, cv2.LINE_AA)
    cv2.circle(picture, center, radius, color, -1, cv2.LINE_AA)
