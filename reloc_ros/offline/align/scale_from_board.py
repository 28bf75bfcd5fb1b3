"""Metres, and a frame, from a board of known size in the map's images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.offline.align.agreement import ScaleEstimate, UpEstimate, agreeing
from reloc_ros.offline.align.board_fit import fit_rigidly
from reloc_ros.offline.align.boards import Board, BoardDetector, Corner
from reloc_ros.offline.align.trajectory_fit import fit_robustly
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity, fit_similarity, spread
from reloc_ros.offline.model.triangulate_picks import MAX_ERROR_PX, place_point, sighting_rays
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.frames import read_photo

Array = NDArray[np.float64]
Sightings = Mapping[Corner, list[tuple[int, Array]]]
"""For each corner the images it was seen in, by index, and where."""

MIN_IMAGES = 3
MIN_CORNERS = 4
MIN_AGREEING_SHARE = 0.6
"""Where fewer sightings fit a rigid board, it moved, or is another one."""
MIN_CORNERS_TO_DOUBT = 8
"""With fewer corners none is taken for an outlier at first."""
MIN_SECOND_SPREAD_SHARE = 0.05
"""Corners on a line leave the board's turn about it open."""


@dataclass(frozen=True, eq=False)
class BodyFit:
    """A board, or one single marker, laid on where its corners were triangulated."""

    label: str
    board_from_sfm: Similarity
    scale_error: float
    used: int
    """Sightings of a corner that agree ..."""
    of: int
    """... of so many."""
    residual_m: float
    """Root mean square of what those are off by, at the board's distance."""
    turn_error_deg: float


def scale_of_board(
    model: SfmModel, images_dir: Path, board: Board, progress: Progress = silent
) -> list[BodyFit]:
    """Find the board in all images and lay it on its triangulated corners; one fit for each body that was seen."""
    sightings = find_board(model, images_dir, board, progress)
    fits = fit_bodies(model, board, sightings)
    if not fits:
        raise RelocError(
            f"the corners of board '{board.text}' do not meet in space; it must lie still, and be seen from places "
            "that differ"
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
    if showing < MIN_IMAGES:
        seen = f"in {showing}" if showing else "in none"
        raise RelocError(
            f"board '{board.text}' is seen {seen} of the map's {len(model.names)} images, {MIN_IMAGES} are needed; "
            "check its dictionary and size, or take pictures of it from several sides and map again"
        )
    return sightings


def fit_bodies(model: SfmModel, board: Board, sightings: Sightings) -> list[BodyFit]:
    """One fit for each body with enough corners that could be triangulated; the others are left out."""
    bodies: dict[int, list[_PlacedCorner]] = {}
    for corner, seen in sorted(sightings.items()):
        images, pixels = np.array([image for image, _ in seen]), np.array([pixel for _, pixel in seen])
        if len(images) < MIN_IMAGES:
            continue
        placed = place_point(model, images, pixels)
        if placed.reliable and placed.used.sum() >= MIN_IMAGES:
            found = _PlacedCorner(
                board.place_of(corner), placed.position, images[placed.used], pixels[placed.used], len(seen)
            )
            bodies.setdefault(board.body_of(corner), []).append(found)
    fits = (_fit_body(model, board, body, corners) for body, corners in bodies.items())
    return [fit for fit in fits if fit is not None]


@dataclass(frozen=True, eq=False)
class _PlacedCorner:
    place_board: Array
    position_sfm: Array
    images: NDArray[np.intp]
    """(N,) of the sightings that agree on it."""
    pixels: Array
    """(N, 2)"""
    sightings: int
    """All, those that do not agree included."""


def _fit_body(model: SfmModel, board: Board, body: int, corners: list[_PlacedCorner]) -> BodyFit | None:
    corners_board = np.array([corner.place_board for corner in corners])
    corners_sfm = np.array([corner.position_sfm for corner in corners])
    if (
        len(corners) < MIN_CORNERS
        or spread(corners_board)[1] < MIN_SECOND_SPREAD_SHARE * spread(corners_board)[0]
    ):
        return None
    start = fit_similarity(corners_sfm, corners_board)
    if len(corners) >= MIN_CORNERS_TO_DOUBT:
        start, _ = fit_robustly(corners_sfm, corners_board)
    images = np.concatenate([corner.images for corner in corners])
    points = np.repeat(np.arange(len(corners)), [len(corner.images) for corner in corners])
    rays = sighting_rays(model, images, np.concatenate([corner.pixels for corner in corners]), points)
    fit = fit_rigidly(rays, images, corners_board, start)
    used, count = fit.errors_px <= MAX_ERROR_PX, sum(corner.sightings for corner in corners)
    if used.sum() < MIN_AGREEING_SHARE * count:
        return None
    sizes = (
        np.linalg.norm(rays.centers_map() - fit.sfm_from_board.translation, axis=1)
        / model.camera(images[0]).fx
    )
    metres_per_px = np.median(sizes) / fit.sfm_from_board.scale
    return BodyFit(
        f"board '{board.text}'" if board.corners_board else f"marker {body} of '{board.text}'",
        fit.sfm_from_board.inverse(),
        fit.scale_error / fit.sfm_from_board.scale,
        int(used.sum()),
        count,
        float(metres_per_px * np.sqrt(np.mean(fit.errors_px[used] ** 2))),
        fit.turn_error_deg,
    )


def scale_estimate(board: Board, fits: list[BodyFit]) -> ScaleEstimate:
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


def up_estimate(fits: list[BodyFit], on_wall: bool) -> UpEstimate:
    """Up by a board that lies flat, or hangs upright on a wall; it must be one body."""
    if len(fits) > 1:
        raise RelocError(
            f"{len(fits)} markers were found, and each would define its own frame; name one by its id, as in "
            "aruco:0.12:DICT_4X4_50:7"
        )
    fit = fits[0]
    axis = np.array([0.0, -1, 0]) if on_wall else np.array([0.0, 0, -1])
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
