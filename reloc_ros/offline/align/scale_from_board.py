"""Metres, and a frame, from a board of known size in the map's images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.offline.align.agreement import MapFrame, ScaleEstimate, UpEstimate, agreeing
from reloc_ros.offline.align.board_detector import BoardDetector
from reloc_ros.offline.align.board_fit import MIN_IMAGES, BoardFit, Sightings, fit_bodies
from reloc_ros.offline.align.boards import Board, Corner
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.photographs import read_photo

Array = NDArray[np.float64]


def scale_of_board(
    model: SfmModel, images_dir: Path, board: Board, progress: Progress = silent
) -> list[BoardFit]:
    """Find the board in all images and lay it on its triangulated corners; one fit for each body that was seen."""
    sightings = find_board(model, images_dir, board, progress)
    fits = fit_bodies(model, board, sightings)
    if not fits:
        raise RelocError(
            f"the corners of board '{board.text}' do not meet in space as told; it must lie still, be seen from "
            "places that differ, and be as it is described, in its lengths and in where its ids begin"
        )
    return fits


def find_board(model: SfmModel, images_dir: Path, board: Board, progress: Progress = silent) -> Sightings:
    """Where the board's corners are in the map's images; refused when too few of those show it."""
    detector = BoardDetector(board)
    sightings: dict[Corner, list[tuple[int, Array]]] = {}
    showing = 0
    for index, name in enumerate(model.names):
        found = detector(read_photo(images_dir / name))
        showing += bool(found)
        for corner, pixel in found.items():
            sightings.setdefault(corner, []).append((index, pixel))
        progress("find board", index + 1, len(model.names))
    _refuse_other_borders(board, detector.borders)
    if showing < MIN_IMAGES:
        seen = f"in {showing}" if showing else "in none"
        raise RelocError(
            f"board '{board.text}' is seen {seen} of the map's {len(model.names)} images, {MIN_IMAGES} are needed; "
            "check its dictionary and size, or take pictures of it from several sides and map again"
        )
    return sightings


def _refuse_other_borders(board: Board, borders: Mapping[int, Counter[int]]) -> None:
    """Markers with another border than was told would be taken for smaller or larger than they are."""
    told = board.border_bits
    wrong = {}
    for marker_id, counts in sorted(borders.items()):
        bits, images = counts.most_common(1)[0]
        if bits != told and images >= MIN_IMAGES:
            wrong[marker_id] = bits
    if not wrong:
        return
    listed = ", ".join(map(str, list(wrong)[:5])) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    bits = Counter(wrong.values()).most_common(1)[0][0]
    remedies = [f"add :border={bits}"]
    if bits == 2:
        remedies.append("describe Kalibr's board as aprilgrid:COLUMNSxROWS:TAG:SPACING")
    if not board.corners_board:
        remedies.append("name the one marker that is meant by its id")
    raise RelocError(
        f"board '{board.text}': the black border of marker {listed} measures {bits} squares of its code in the images, "
        f"not {told}, which would make all lengths wrong; {', or '.join(remedies)}"
    )


def scale_estimate(board: Board, fits: list[BoardFit]) -> ScaleEstimate:
    """The scale by all bodies together, once they agree: the mean, weighted by their certainty."""
    ratios = np.array([fit.board_from_sfm.scale for fit in fits])
    errors = np.maximum([fit.scale_error for fit in fits], 1e-9 * ratios)
    used = agreeing(ratios, errors, [fit.label for fit in fits], f"markers of '{board.text}'")
    weights = used / errors**2
    scale = float(weights @ ratios / weights.sum())
    scatter = np.sqrt(weights @ (ratios - scale) ** 2 / weights.sum() / max(1, used.sum() - 1))
    return ScaleEstimate(
        f"board '{board.text}'",
        scale,
        float(max(scatter, 1 / np.sqrt(weights.sum()))),
        sum(fit.used for fit, kept in zip(fits, used, strict=True) if kept),
        sum(fit.of for fit in fits),
        float(np.sqrt(np.mean([fit.residual_m**2 for fit, kept in zip(fits, used, strict=True) if kept]))),
        tuple(
            f"left out, as it contradicts the others: {fit.label}"
            for fit, kept in zip(fits, used, strict=True)
            if not kept
        ),
    )


def up_estimate(fits: list[BoardFit], on_wall: bool, cameras_up_sfm: Array | None = None) -> UpEstimate:
    """Up by a board that lies flat, or hangs upright on a wall; it must be one body.

    Args:
        cameras_up_sfm: (3,) the way up in most pictures, to tell a marker on a wall that was printed upside down.
    """
    if len(fits) > 1:
        raise RelocError(
            f"{len(fits)} markers were found, and each would define its own frame; name one by its id, as in "
            "aruco:0.12:DICT_4X4_50:7"
        )
    fit = fits[0]
    axis = np.array([0.0, -1, 0]) if on_wall else np.array([0.0, 0, -1])
    if (
        on_wall
        and cameras_up_sfm is not None
        and cameras_up_sfm @ fit.board_from_sfm.rotation.T @ axis < -0.5
    ):
        raise RelocError(
            f"{fit.label} hangs upside down to the pictures; AprilTag's own pictures of its tags are turned by 180 "
            "degrees from OpenCV's: add :turn=180 to --board, or tell --picture-top if it is the camera that was turned"
        )
    return UpEstimate(
        f"{fit.label}, {'upright on a wall' if on_wall else 'lying flat'}",
        fit.board_from_sfm.rotation.T @ axis,
        fit.turn_error_deg,
        fit.used,
        fit.of,
        None,
    )


def map_from_board(on_wall: bool) -> Array:
    """(3, 3) z up and x to the board's right: of a board that lies flat, or one upright on a wall."""
    if on_wall:
        return np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    return np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])


def frame_of_board(
    fit: BoardFit,
    on_wall: bool,
    metres: float,
    scales: tuple[ScaleEstimate, ...],
    ups: tuple[UpEstimate, ...],
) -> MapFrame:
    """The board's middle is the origin, at this scale."""
    board, turn = fit.board_from_sfm, map_from_board(on_wall)
    found = Similarity(metres, turn @ board.rotation, turn @ board.translation * metres / board.scale)
    axes = "z up, x to the board's right, y " + ("into the wall" if on_wall else "to its top edge")
    return MapFrame(found, scales, ups, f"the middle of {fit.label}", axes)
