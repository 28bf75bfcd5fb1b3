"""Boards and single markers of known size: what they are, and where their corners are in an image.

The frame of a board has its origin in the middle, x to the right, y downwards and z into the board, as one who
stands before it and reads it sees them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.offline.align.marker_corners import refine_corners

Array = NDArray[np.float64]
Corner = tuple[int, int]
"""Of a marker: its id and which of its four corners; of a chessboard: -1 and the number of the corner."""

_FORMS = (
    "charuco:COLUMNSxROWS:SQUARE:MARKER:DICTIONARY, grid:COLUMNSxROWS:MARKER:GAP:DICTIONARY[:FIRST_ID], or "
    "aruco:SIZE:DICTIONARY[:ID] for markers that stand alone, all lengths in metres"
)
DICTIONARIES = tuple(sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_")))


@dataclass(frozen=True, eq=False)
class Board:
    """What to look for."""

    text: str
    """As the user wrote it."""
    dictionary: cv2.aruco.Dictionary
    size_m: float
    """Of a single marker; 0 for a board of several."""
    marker_id: int | None
    """The one single marker that counts; None for all."""
    charuco: cv2.aruco.CharucoBoard | None
    corners_board: dict[Corner, Array]
    """Where each corner of a board is in its frame, metres; empty for single markers."""

    def has(self, corner: Corner) -> bool:
        return corner in self.corners_board if self.corners_board else self.marker_id in (None, corner[0])

    def body_of(self, corner: Corner) -> int:
        """Which rigid thing a corner belongs to: the marker's id when they stand alone."""
        return 0 if self.corners_board else corner[0]

    def place_of(self, corner: Corner) -> Array:
        """(3,) metres, in the frame of the board or of the single marker."""
        return self.corners_board[corner] if self.corners_board else _marker_corners(self.size_m)[corner[1]]


def parse_board(text: str) -> Board:
    """Parse one of the three forms of a board; apriltag: is the same as aruco:."""
    kind, *words = text.strip().split(":")
    try:
        if kind == "charuco" and len(words) == 4:
            return _charuco(text, *words)
        if kind == "grid" and len(words) in (4, 5):
            return _grid(text, *words)
        if kind in ("aruco", "apriltag") and len(words) in (2, 3):
            marker_id = int(words[2]) if len(words) == 3 else None
            return Board(text, _dictionary(text, words[1]), _length(text, words[0]), marker_id, None, {})
    except ValueError as error:
        raise RelocError(f"board '{text}' holds a number that is none; it is {_FORMS}") from error
    raise RelocError(f"board '{text}' is not {_FORMS}")


def _charuco(text: str, counts: str, square: str, marker: str, dictionary: str) -> Board:
    columns, rows = _counts(text, counts)
    square_m, marker_m = _length(text, square), _length(text, marker)
    if not marker_m < square_m or min(columns, rows) < 3:
        raise RelocError(f"board '{text}': squares are larger than their markers, and there are 3x3 at least")
    markers = _dictionary(text, dictionary)
    if columns * rows // 2 > len(markers.bytesList):
        raise RelocError(f"board '{text}': {dictionary} has only {len(markers.bytesList)} markers")
    board = cv2.aruco.CharucoBoard((columns, rows), square_m, marker_m, markers)
    middle = np.array([columns, rows, 0]) * square_m / 2
    places = board.getChessboardCorners().astype(np.float64) - middle
    return Board(text, markers, 0.0, None, board, {(-1, k): place for k, place in enumerate(places)})


def _grid(text: str, counts: str, marker: str, gap: str, dictionary: str, first_id: str = "0") -> Board:
    columns, rows = _counts(text, counts)
    marker_m, gap_m = _length(text, marker), _length(text, gap)
    middle = (np.array([columns, rows]) * (marker_m + gap_m) - gap_m) / 2
    corners = {}
    for k in range(columns * rows):
        offset = np.array([k % columns, k // columns]) * (marker_m + gap_m) - middle + marker_m / 2
        for number, place in enumerate(_marker_corners(marker_m)):
            corners[(int(first_id) + k, number)] = place + np.append(offset, 0)
    return Board(text, _dictionary(text, dictionary), 0.0, None, None, corners)


class BoardDetector:
    """Finds the corners of a board in images."""

    def __init__(self, board: Board) -> None:
        self._board = board
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_CONTOUR
        self._markers = cv2.aruco.ArucoDetector(board.dictionary, parameters)
        self._charucos = [self._charuco(legacy) for legacy in (False, True)] if board.charuco else []

    def __call__(self, image: NDArray[np.uint8]) -> dict[Corner, Array]:
        """The corners seen in an image (H, W, 3), each with its pixel (2,)."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        corners, ids, _ = self._markers.detectMarkers(grey)
        if ids is None:
            return {}
        if self._charucos:
            return self._chessboard(grey, corners, ids)
        found = {}
        for marker_id, pixels in zip(ids.ravel().tolist(), corners, strict=True):
            for number, pixel in enumerate(refine_corners(grey, pixels.reshape(4, 2).astype(np.float64))):
                if self._board.has((marker_id, number)):
                    found[(marker_id, number)] = pixel
        return found

    def _charuco(self, legacy: bool) -> cv2.aruco.CharucoDetector:
        board = self._board.charuco
        copy = cv2.aruco.CharucoBoard(
            board.getChessboardSize(),
            board.getSquareLength(),
            board.getMarkerLength(),
            self._board.dictionary,
        )
        copy.setLegacyPattern(legacy)  # OpenCV before 4.6 began boards of an even number of rows otherwise
        return cv2.aruco.CharucoDetector(copy)

    def _chessboard(
        self, grey: NDArray[np.uint8], corners: Iterable[Array], ids: Array
    ) -> dict[Corner, Array]:
        best: dict[Corner, Array] = {}
        for detector in self._charucos:
            pixels, numbers, _, _ = detector.detectBoard(grey, markerCorners=corners, markerIds=ids)
            if numbers is not None and len(numbers) > len(best):
                places = pixels.reshape(-1, 2).astype(np.float64)
                best = {
                    (-1, number): place
                    for number, place in zip(numbers.ravel().tolist(), places, strict=True)
                }
        return best


def _marker_corners(size_m: float) -> Array:
    """(4, 3) in OpenCV's order, clockwise from the top left."""
    return size_m / 2 * np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])


def _dictionary(text: str, name: str) -> cv2.aruco.Dictionary:
    wanted = name.upper().removeprefix("DICT_")
    for known in DICTIONARIES:
        if known.upper().removeprefix("DICT_") in (wanted, f"APRILTAG_{wanted}"):
            return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, known))
    raise RelocError(f"board '{text}': there is no dictionary {name}; use one of {', '.join(DICTIONARIES)}")


def _counts(text: str, word: str) -> tuple[int, int]:
    columns, rows = (int(number) for number in word.lower().split("x"))
    if columns < 1 or rows < 1:
        raise RelocError(f"board '{text}': it has at least one column and one row")
    return columns, rows


def _length(text: str, word: str) -> float:
    metres = float(word)
    if not (np.isfinite(metres) and metres > 0):
        raise RelocError(f"board '{text}': lengths are in metres and above zero, not {word}")
    return metres
