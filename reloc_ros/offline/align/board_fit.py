"""Boards and single markers, rigid bodies of known shape, laid into a model so that they are seen where they were."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.align.agreement import MAX_SCALE_GAP
from reloc_ros.offline.align.boards import Board, Corner
from reloc_ros.offline.align.trajectory_fit import fit_robustly
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity, fit_similarity, spread
from reloc_ros.offline.model.triangulate import Rays
from reloc_ros.offline.model.triangulate_picks import MAX_ERROR_PX, place_point
from reloc_ros.scene_size import median_distance

Array = NDArray[np.float64]
Sightings = Mapping[Corner, list[tuple[int, Array]]]
"""For each corner the images it was seen in, by index, and where."""

MIN_IMAGES = 3
"""Of a board, and of each of its corners: two would leave nothing to check by."""
MIN_CORNERS = 4
"""Those of a single marker."""
MIN_AGREEING_SHARE = 0.6
"""Where fewer sightings fit a rigid board, it moved, or is another one."""
MIN_CORNERS_TO_DOUBT = 8
"""With fewer corners none is taken for an outlier at first."""
MIN_SECOND_SPREAD_SHARE = 0.05
"""Corners on a line leave the board's turn about it open."""
_CAUCHY_PX = 1.0
"""Corners that were found are good to a few tenths of a pixel; residuals beyond this count ever less."""


@dataclass(frozen=True, eq=False)
class BoardFit:
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


def fit_bodies(model: SfmModel, board: Board, sightings: Sightings) -> list[BoardFit]:
    """One fit for each body with enough corners that could be triangulated; the others are left out."""
    bodies: dict[int, list[_PlacedCorner]] = {}
    for corner, seen in sorted(sightings.items()):
        images, pixels = np.array([image for image, _ in seen]), np.array([pixel for _, pixel in seen])
        if len(images) < MIN_IMAGES:
            continue
        placed = place_point(model, images, pixels)
        if placed.reliable and placed.used.sum() >= MIN_IMAGES:
            found = _PlacedCorner(
                corner,
                board.place_of(corner),
                placed.position,
                images[placed.used],
                pixels[placed.used],
                len(seen),
            )
            bodies.setdefault(board.body_of(corner), []).append(found)
    for corners in bodies.values() if board.charuco is None else ():
        _refuse_other_gaps(board, corners)
    fits = (_fit_body(model, board, body, corners) for body, corners in bodies.items())
    return [fit for fit in fits if fit is not None]


@dataclass(frozen=True, eq=False)
class _PlacedCorner:
    corner: Corner
    place_board: Array
    position_sfm: Array
    images: NDArray[np.intp]
    """(N,) of the sightings that agree on it."""
    pixels: Array
    """(N, 2)"""
    sightings: int
    """All, those that do not agree included."""


def _refuse_other_gaps(board: Board, corners: list[_PlacedCorner]) -> None:
    """Where markers are farther apart, measured by their sides, than was told, one of the two lengths is wrong."""
    pairs = [(a, b) for a, b in itertools.combinations(corners, 2)]
    same = np.array([a.corner[0] == b.corner[0] for a, b in pairs], dtype=bool)
    apart = np.array(
        [a.corner[0] != b.corner[0] and a.corner[1] == b.corner[1] for a, b in pairs], dtype=bool
    )
    if same.sum() < MIN_CORNERS or apart.sum() < MIN_CORNERS:
        return
    found = np.array([np.linalg.norm(a.position_sfm - b.position_sfm) for a, b in pairs])
    told = np.array([np.linalg.norm(a.place_board - b.place_board) for a, b in pairs])
    stretch = np.median(found[apart] / told[apart]) / np.median(found[same] / told[same])
    if abs(np.log(stretch)) > MAX_SCALE_GAP:
        side, pitch = told[same].min(), told[apart].min()
        raise RelocError(
            f"board '{board.text}': in the images the gaps between its markers measure "
            f"{stretch * pitch / side - 1:.2g} of a marker, not {pitch / side - 1:.2g}; the SPACING of an aprilgrid is "
            "a share of its TAG, the GAP of a grid is in metres"
        )


def _fit_body(model: SfmModel, board: Board, body: int, corners: list[_PlacedCorner]) -> BoardFit | None:
    corners_board = np.array([corner.place_board for corner in corners])
    corners_sfm = np.array([corner.position_sfm for corner in corners])
    first, second, _ = spread(corners_board)
    if len(corners) < MIN_CORNERS or second < MIN_SECOND_SPREAD_SHARE * first:
        return None
    start = fit_similarity(corners_sfm, corners_board)
    if len(corners) >= MIN_CORNERS_TO_DOUBT:
        start, _ = fit_robustly(corners_sfm, corners_board)
    images = np.concatenate([corner.images for corner in corners])
    points = np.repeat(np.arange(len(corners)), [len(corner.images) for corner in corners])
    rays = model.rays(images, np.concatenate([corner.pixels for corner in corners]), points)
    fit = fit_rigidly(rays, images, corners_board, start)
    used, count = fit.errors_px <= MAX_ERROR_PX, sum(corner.sightings for corner in corners)
    if used.sum() < MIN_AGREEING_SHARE * count:
        return None
    distance = median_distance(fit.sfm_from_board.translation, rays.centers_map())
    metres_per_px = distance / model.camera(images[0]).fx / fit.sfm_from_board.scale
    return BoardFit(
        f"board '{board.text}'" if board.corners_board else f"marker {body} of '{board.text}'",
        fit.sfm_from_board.inverse(),
        fit.scale_error / fit.sfm_from_board.scale,
        int(used.sum()),
        count,
        float(metres_per_px * np.sqrt(np.mean(fit.errors_px[used] ** 2))),
        fit.turn_error_deg,
    )


@dataclass(frozen=True, eq=False)
class RigidFit:
    sfm_from_board: Similarity
    scale_error: float
    """Standard error of the scale, as a share of it."""
    turn_error_deg: float
    """Standard error of the rotation about the axis that is known worst."""
    errors_px: Array
    """(M,) how far each corner was seen from where it now is; infinite behind the camera."""


def fit_rigidly(rays: Rays, images: NDArray[np.intp], points_board: Array, start: Similarity) -> RigidFit:
    """Least squares of the distances in the images, with a Cauchy loss, over the seven numbers of a similarity.

    The errors are those of the sandwich estimator with one cluster an image, as the pose of an image moves all that
    is seen in it together: Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference" (2015).

    Args:
        rays: sightings of points, their `points` indices into `points_board`.
        images: (M,) which image each sighting is in.
        points_board: (C, 3)
        start: sfm_from_board, near the solution.
    """
    from scipy.optimize import least_squares

    unit = start.scale * float(np.abs(points_board).max())

    def moved(step: Array) -> Similarity:
        turn = SE3.from_rotation_vector(step[1:4], np.zeros(3)).rotation
        shift = start.translation + unit * step[4:]
        return Similarity(start.scale * np.exp(step[0]), turn @ start.rotation, shift)

    def residuals(step: Array) -> Array:
        return rays.residuals_px(moved(step).apply(points_board)).ravel()

    found = least_squares(residuals, np.zeros(7), loss="cauchy", f_scale=_CAUCHY_PX)
    gaps = found.fun.reshape(-1, 2)
    covariance = _covariance(found.jac.reshape(-1, 2, 7), gaps, images)
    return RigidFit(
        moved(found.x),
        float(np.sqrt(covariance[0, 0])),
        float(np.degrees(np.sqrt(np.linalg.eigvalsh(covariance[1:4, 1:4])[-1]))),
        rays.errors_px(moved(found.x).apply(points_board)),
    )


def _covariance(jacobian: Array, gaps: Array, images: NDArray[np.intp]) -> Array:
    """(7, 7); the larger, part by part, of what single sightings and what whole images scatter."""
    squared = np.sum(gaps**2, axis=1)
    weights = 1 / (1 + squared / _CAUCHY_PX**2)
    inverse = np.linalg.pinv(np.einsum("m,mki,mkj->ij", weights, jacobian, jacobian))
    pulls = np.einsum("m,mki,mk->mi", weights, jacobian, gaps)
    clusters = np.array([pulls[images == image].sum(axis=0) for image in np.unique(images)])
    by_image = inverse @ (clusters.T @ clusters) @ inverse * len(clusters) / max(1, len(clusters) - 1)
    freedom = max(1.0, 2 * weights.sum() - 7)
    by_sighting = inverse * float(weights @ squared) / freedom
    return by_image if np.trace(by_image[:4, :4]) > np.trace(by_sighting[:4, :4]) else by_sighting
