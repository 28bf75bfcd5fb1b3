"""Boards and single markers of known size: what they are, and where their corners are on them.

The frame of a board has its origin in the middle, x to the right, y downwards and z into the board, as one who
stands before it and reads it sees them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError

Array = NDArray[np.float64]
Corner = tuple[int, int]
"""Of a marker: its id and which of its four corners; of a chessboard: -1 and the number of the corner."""

_FORMS = (
    "charuco:COLUMNSxROWS:SQUARE:MARKER:DICTIONARY, grid:COLUMNSxROWS:MARKER:GAP:DICTIONARY[:FIRST_ID], "
    "aprilgrid:COLUMNSxROWS:TAG:SPACING[:DICTIONARY[:FIRST_ID]] with the spacing as a share of the tag, as Kalibr has "
    "it, or aruco:SIZE:DICTIONARY[:ID] for markers that stand alone, all lengths in metres; then :border=BITS where a "
    "marker's black border is not 1 wide (aprilgrid: 2), and :turn=180 for a marker printed upside down"
)
MOST_SQUARES = 10_000
"""Of a board; no dictionary has so many markers, and memory is taken by them."""
MAX_BORDER_BITS = 4
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
    border_bits: int = 1
    """How wide the black border of a marker is, in its squares."""
    quarter_turns: int = 0
    """By which a single marker is turned from OpenCV's picture of it; of a grid the layout tells."""

    def has_marker(self, marker_id: int) -> bool:
        if self.charuco is not None:
            return marker_id in self.charuco.getIds()
        return (
            (marker_id, 0) in self.corners_board
            if self.corners_board
            else self.marker_id in (None, marker_id)
        )

    def body_of(self, corner: Corner) -> int:
        """Which rigid thing a corner belongs to: the marker's id when they stand alone."""
        return 0 if self.corners_board else corner[0]

    def place_of(self, corner: Corner) -> Array:
        """(3,) metres, in the frame of the board or of the single marker."""
        return self.corners_board[corner] if self.corners_board else _marker_corners(self.size_m)[corner[1]]


def parse_board(text: str) -> Board:
    """Parse one of the four forms of a board; apriltag: is the same as aruco:."""
    words = text.strip().split(":")
    options = dict(word.split("=", 1) for word in words if "=" in word)
    kind, *words = (word for word in words if "=" not in word)
    try:
        board = _of_kind(text, kind, words)
        if board is None or not options.keys() <= {"border", "turn"}:
            raise RelocError(f"board '{text}' is not {_FORMS}")
        return _with_options(board, **options)
    except ValueError as error:
        raise RelocError(f"board '{text}' holds a number that is none; it is {_FORMS}") from error


def _of_kind(text: str, kind: str, words: list[str]) -> Board | None:
    if kind == "charuco" and len(words) == 4:
        return _charuco(text, *words)
    if kind == "grid" and len(words) in (4, 5):
        return _grid(text, *words)
    if kind == "aprilgrid" and len(words) in (3, 4, 5):
        return _aprilgrid(text, *words)
    if kind in ("aruco", "apriltag") and len(words) in (2, 3):
        marker_id = int(words[2]) if len(words) == 3 else None
        return Board(text, _dictionary(text, words[1]), _length(text, words[0]), marker_id, None, {})
    return None


def _with_options(board: Board, border: str | None = None, turn: str = "0") -> Board:
    bits = board.border_bits if border is None else int(border)
    if not 1 <= bits <= MAX_BORDER_BITS:
        raise RelocError(
            f"board '{board.text}': a border is 1 to {MAX_BORDER_BITS} squares wide, not {border}"
        )
    quarter_turns, rest = divmod(int(turn), 90)
    if rest or not 0 <= quarter_turns < 4 or (quarter_turns and (board.corners_board or board.charuco)):
        raise RelocError(
            f"board '{board.text}': single markers are turned by 0, 90, 180 or 270 degrees clockwise; boards of "
            "several tell that by themselves"
        )
    return replace(board, border_bits=bits, quarter_turns=quarter_turns)


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
    ids = int(first_id) + np.arange(columns * rows).reshape(rows, columns)
    return _markers_in_rows(text, ids, _length(text, marker), _length(text, gap), dictionary)


def _aprilgrid(
    text: str,
    counts: str,
    tag: str,
    spacing: str,
    dictionary: str = "DICT_APRILTAG_36h11",
    first_id: str = "0",
) -> Board:
    """Kalibr's board: ids from the lower left upwards, wide borders, small squares between the corners of the tags.

    See `generateAprilBoard` of its kalibr_create_target_pdf; the words are its tagCols, tagRows, tagSize, tagSpacing.
    """
    columns, rows = _counts(text, counts)
    ids = int(first_id) + np.arange(columns * rows).reshape(rows, columns)[::-1]
    tag_m = _length(text, tag)
    board = _markers_in_rows(text, ids, tag_m, _length(text, spacing) * tag_m, dictionary)
    return replace(board, border_bits=2)


def _markers_in_rows(
    text: str, ids: NDArray[np.int64], marker_m: float, gap_m: float, dictionary: str
) -> Board:
    """A board of markers (rows, columns) as one reads it."""
    markers = _dictionary(text, dictionary)
    if ids.min() < 0 or ids.max() >= len(markers.bytesList):
        raise RelocError(
            f"board '{text}': {dictionary} has the markers 0 to {len(markers.bytesList) - 1}, and this needs "
            f"{ids.min()} to {ids.max()}"
        )
    middle = (np.array(ids.shape[::-1]) * (marker_m + gap_m) - gap_m) / 2
    corners = {}
    for (row, column), marker_id in np.ndenumerate(ids):
        offset = np.array([column, row]) * (marker_m + gap_m) - middle + marker_m / 2
        for number, place in enumerate(_marker_corners(marker_m)):
            corners[(int(marker_id), number)] = place + np.append(offset, 0)
    return Board(text, markers, 0.0, None, None, corners)


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
    if columns * rows > MOST_SQUARES:
        raise RelocError(f"board '{text}': no dictionary has markers for {columns} by {rows}")
    return columns, rows


def _length(text: str, word: str) -> float:
    metres = float(word)
    if not (np.isfinite(metres) and metres > 0):
        raise RelocError(f"board '{text}': lengths are in metres and above zero, not {word}")
    return metres
