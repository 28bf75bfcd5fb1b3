"""The corners of boards in images, those of square markers to a few hundredths of a pixel, by their edges.

A corner of a black square, unlike one of a chessboard, moves inwards as the picture blurs, and gradient methods for
corners with it: by 0.2 px, a percent of a small marker. Its edges stay where they are.
"""

from __future__ import annotations

import itertools
from collections import Counter

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.align.boards import Board, Corner

Array = NDArray[np.float64]

_USUAL_BORDERS = (1, 2)
"""Of what is printed, OpenCV's and AprilTag's, and Kalibr's; markers are looked for with both, to tell a wrong one."""
_SMALL_PX, _LARGE_PX = 1200, 2400
"""Images with no longer side are searched at twice their size, those with a longer one softened at half of it."""
_SOFTNESS_PX = 1.5
_MIN_STEP, _STEP_SHARE = 7.0, 0.1
"""Grey levels, OpenCV's own, or this share of the image's, that black is darker than what is around it. With less the
small squares at the corners of Kalibr's tags grow together with them: of tags of 22 px it found a sixth."""
_ALONG = np.linspace(0.15, 0.85, 25)
"""Places along an edge where its position is measured: away from the rounded corners."""
_REACH_SHARE = 1 / 16
"""Half the length of a profile across the edge, as a share of the edge: half a module of a marker of eight."""
_REACH_RANGE_PX = (1.5, 5.0)
_STEP_PX = 0.25
_MAX_MOVE = 1.5
"""Corners that would move by more than so many reaches were better as they were found."""


class BoardDetector:
    """Finds the corners of a board in images, and how wide the borders of its markers are."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._charucos = [self._charuco(legacy) for legacy in (False, True)] if board.charuco else []
        self._turns: Counter[int] = Counter()
        self.borders: dict[int, Counter[int]] = {}
        """For each marker of the board, in how many images it had a border of so many squares."""

    def __call__(self, image: NDArray[np.uint8]) -> dict[Corner, Array]:
        """The corners seen in an image (H, W, 3), each with its pixel (2,)."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        markers = self._find_markers(grey)
        if not markers:
            return {}
        if self._charucos:
            return self._chessboard(grey, markers)
        refined = {marker_id: refine_corners(grey, corners) for marker_id, corners in markers.items()}
        turns = self._quarter_turns(refined)
        if turns is None:
            return {}
        return {
            (marker_id, (number + turns) % 4): pixel
            for marker_id, corners in refined.items()
            for number, pixel in enumerate(corners)
        }

    def _find_markers(self, grey: NDArray[np.uint8]) -> dict[int, Array]:
        """The board's markers, (4, 2) pixels each, without those whose border is another than was told.

        A wide border is hollow to an adaptive threshold, and so a marker is also found within the marker, too small,
        and by a narrower border: the largest that is found is the marker.
        """
        darkest, brightest = np.percentile(grey, (5, 95))
        parameters = cv2.aruco.DetectorParameters()
        parameters.adaptiveThreshConstant = max(_MIN_STEP, _STEP_SHARE * float(brightest - darkest))
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_CONTOUR
        told = self._board.border_bits
        largest: dict[int, tuple[float, int, Array]] = {}
        for (image, scale), bits in itertools.product(_searched(grey), sorted({*_USUAL_BORDERS, told})):
            parameters.markerBorderBits = bits
            detector = cv2.aruco.ArucoDetector(self._board.dictionary, parameters)
            corners, ids, _ = detector.detectMarkers(image)
            for marker_id, found in zip(() if ids is None else ids.ravel().tolist(), corners, strict=True):
                # Pixel edges, not centres, scale.
                pixels = (found.reshape(4, 2).astype(np.float64) + 0.5) / scale - 0.5
                area = cv2.contourArea(found) / scale**2
                if self._board.has_marker(marker_id) and area > largest.get(marker_id, (0.0,))[0]:
                    largest[marker_id] = (area, bits, pixels)
        for marker_id, (_, bits, _) in largest.items():
            self.borders.setdefault(marker_id, Counter())[bits] += 1
        return {marker_id: pixels for marker_id, (_, bits, pixels) in largest.items() if bits == told}

    def _quarter_turns(self, markers: dict[int, Array]) -> int | None:
        """By how much the markers are turned from OpenCV's pictures of them: AprilTag's own are upside down.

        A grid's layout tells, which needs two markers, in this image or in earlier ones; None where it does not.
        """
        if not self._board.corners_board:
            return self._board.quarter_turns
        if len(markers) > 1:
            misfits = [self._misfit_px(markers, turns) for turns in range(4)]
            best, second = np.argsort(misfits)[:2].tolist()
            self._turns[best] += (
                misfits[best] < 0.5 * misfits[second]
            )  # unclear where one is not what it was read as
        (turns, clear), *_ = self._turns.most_common(1) or [(0, 0)]
        return turns if clear else None

    def _misfit_px(self, markers: dict[int, Array], turns: int) -> float:
        """How far the markers are from where the board has them, as far as a flat picture of it goes."""
        numbers = (np.arange(4) + turns) % 4
        places = np.array([self._board.place_of((i, k))[:2] for i in markers for k in numbers.tolist()])
        pixels = np.concatenate(list(markers.values()))
        image_from_board, _ = cv2.findHomography(places, pixels)
        if image_from_board is None:
            return np.inf
        moved = cv2.perspectiveTransform(places[None], image_from_board)[0]
        return float(np.median(np.linalg.norm(moved - pixels, axis=1)))

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

    def _chessboard(self, grey: NDArray[np.uint8], markers: dict[int, Array]) -> dict[Corner, Array]:
        ids = np.array(list(markers), dtype=np.int32)[:, None]
        corners = [pixels[None].astype(np.float32) for pixels in markers.values()]
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


def _searched(grey: NDArray[np.uint8]) -> list[tuple[NDArray[np.uint8], float]]:
    """An image as markers are looked for in it, and its scale: large enough for small ones, and softened.

    Softened, the small squares that touch the corners of Kalibr's tags part from them, which else hide their outlines.
    """
    fine = 2.0 if max(grey.shape) <= _SMALL_PX else 1.0
    soft = fine if max(grey.shape) <= _LARGE_PX else 0.5
    plain = cv2.resize(grey, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR)
    shrunk = plain if soft == fine else cv2.resize(grey, None, fx=soft, fy=soft, interpolation=cv2.INTER_AREA)
    return [(plain, fine), (cv2.GaussianBlur(shrunk, (0, 0), _SOFTNESS_PX), soft)]


def refine_corners(grey: NDArray[np.uint8], corners_px: Array) -> Array:
    """(4, 2) corners where lines through the edges meet; as they were, where the edges are not clear.

    Args:
        grey: (H, W).
        corners_px: (4, 2) in order around the black square, within a pixel or two.
    """
    lines = [_edge(grey, corners_px[k], corners_px[(k + 1) % 4]) for k in range(4)]
    if any(line is None for line in lines):
        return corners_px
    refined = corners_px.copy()
    for k in range(4):
        meeting = np.cross(lines[k - 1], lines[k])  # homogeneous lines and points
        if abs(meeting[2]) > 1e-6:
            refined[k] = meeting[:2] / meeting[2]
    moved = np.linalg.norm(refined - corners_px, axis=1)
    sides = np.linalg.norm(corners_px - np.roll(corners_px, 1, axis=0), axis=1)
    return refined if (moved <= _MAX_MOVE * _reach_px(float(sides.mean()))).all() else corners_px


def _reach_px(length: float) -> float:
    return float(np.clip(_REACH_SHARE * length, *_REACH_RANGE_PX))


def _edge(grey: NDArray[np.uint8], start: Array, end: Array) -> Array | None:
    """(3,) the homogeneous line through the steepest places of profiles across an edge."""
    length = float(np.linalg.norm(end - start))
    reach = _reach_px(length)
    if length < 8:
        return None
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    offsets = np.arange(-reach, reach + _STEP_PX / 2, _STEP_PX)
    places = start + _ALONG[:, None, None] * (end - start) + offsets[None, :, None] * across
    profiles = cv2.remap(
        grey,
        *np.moveaxis(places.astype(np.float32), 2, 0).copy(),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float64)
    steps = np.abs(np.diff(profiles, axis=1))
    strength = steps.sum(axis=1)
    clear = strength > 0.5 * np.median(strength)
    if clear.sum() < len(_ALONG) // 2 or np.median(strength) < 15:
        return None
    middles = (offsets[1:] + offsets[:-1]) / 2
    found = (steps**2 @ middles / np.maximum((steps**2).sum(axis=1), 1e-9))[clear]
    points = (start + _ALONG[:, None] * (end - start))[clear] + found[:, None] * across
    vx, vy, x, y = (
        cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 1e-4, 1e-4).ravel().astype(np.float64)
    )
    return np.array([-vy, vx, vy * x - vx * y])
