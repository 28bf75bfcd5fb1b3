"""The similarity that lays a model's cameras on where they truly were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.align.trajectory import Trajectory, match_images
from reloc_ros.offline.evenly import evenly
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity, fit_similarity, left_by_similarities, spread
from reloc_ros.scene_size import extent

Array = NDArray[np.float64]

MIN_POSES = 4
"""Three fix a similarity, the fourth checks it."""
MIN_INLIER_SHARE = 0.5
"""Least median of squares stands no more than half of the poses being wrong."""
MAX_SIGMA_SHARE = 0.1
"""Positions that scatter by more than this share of the path's extent are of another path."""
MIN_SECOND_SPREAD_SHARE = 0.02
"""Cameras on a line leave the rotation about it open: their spread across must be this share of that along."""
MAX_ORIENTATION_SCATTER_DEG = 15.0
MAX_ORIENTATION_OFFSET_DEG = 15.0
"""Conventions that are mixed up, of axes or of direction, turn by far more than these two."""
REMEDY = (
    "check that the first column names the right images, and that poses are map_from_camera (not the inverse) in "
    "right-handed axes"
)
_TRIALS = 500
"""Triples of poses; with half of the poses wrong, some sixty of these are all right."""
_FINEST_SHARE = 5e-3
"""No trajectory is expected to be finer than this share of its spread: closer than that is never an outlier."""

_OFFSET_IMAGES = 80
_OFFSET_STEP_S, _MOST_OFFSETS = 0.1, 20_000
"""How finely, and how many, offsets of two clocks are tried at first."""
_OFFSET_SHARE = 0.8
"""Of the images that must be on the path."""
_OFFSET_APART_S, _OFFSET_CLEAR = 2.0, 4.0
"""An offset so far from the best one must fit this many times worse, in variance."""


@dataclass(frozen=True)
class TrajectoryFit:
    """How well the model fits the trajectory."""

    label: str
    """Of the trajectory, in sentences."""
    map_from_sfm: Similarity
    has_frame: bool
    """False when the scale alone was asked for: the rotation then means nothing."""
    scale_error: float
    """Standard error of the scale."""
    turn_error_deg: float
    """Standard error of the rotation about the axis that is known worst."""
    poses: int
    """Trajectory poses that belong to an image of the model."""
    inliers: int
    rms_m: float
    """Of the inliers' camera centres."""
    orientation_offset_deg: float | None
    """Median angle between the trajectory's orientations and the model's; None when the file has none."""


def fit_trajectory(
    model: SfmModel,
    trajectory: Trajectory,
    label: str = "the trajectory",
    frame: bool = True,
    remedy: str = REMEDY,
) -> TrajectoryFit:
    """Find `map_from_sfm`, or refuse a trajectory that does not determine it or contradicts the model.

    Args:
        label: of the trajectory, in sentences.
        frame: False when the scale alone is of interest: then the cameras may be on a line.
        remedy: what to check when it contradicts the model.
    """
    images = match_images(trajectory.keys, model.names)
    pairs = [
        (trajectory.map_from_camera[row], image) for row, image in enumerate(images) if image is not None
    ]
    if len(pairs) < MIN_POSES:
        raise RelocError(
            f"{label}: {len(pairs)} of its {len(images)} poses belong to an image of the map, {MIN_POSES} are "
            f"needed; its first column should be image names such as '{model.names[0]}', or "
            "times where those of the images are known"
        )
    centers_map = np.array([pose.translation for pose, _ in pairs])
    centers_sfm = model.centers_map[[image for _, image in pairs]]
    _refuse_line(centers_map, f"{label}: its positions lie", frame)
    _refuse_line(centers_sfm, f"{label}: the map's cameras for its poses lie", frame)
    similarity, inliers = fit_robustly(centers_map, centers_sfm)
    residuals = np.linalg.norm(similarity.apply(centers_sfm) - centers_map, axis=1)
    _refuse_contradiction(label, residuals, inliers, centers_map, remedy)
    _refuse_line(centers_sfm[inliers], f"{label}: the cameras of those poses that agree lie", frame)
    offset = None
    if trajectory.has_orientations and frame:
        kept = [pair for pair, inlier in zip(pairs, inliers, strict=True) if inlier]
        offset = _orientation_offset_deg(label, similarity, model, kept)
    scale_error, turn_error_deg = _standard_errors(similarity, centers_sfm[inliers], residuals[inliers])
    return TrajectoryFit(
        label=label,
        map_from_sfm=similarity,
        has_frame=frame,
        scale_error=scale_error,
        turn_error_deg=turn_error_deg,
        poses=len(pairs),
        inliers=int(inliers.sum()),
        rms_m=float(np.sqrt(np.mean(residuals[inliers] ** 2))),
        orientation_offset_deg=offset,
    )


def fit_robustly(
    points_a: NDArray[np.float64], points_b: NDArray[np.float64]
) -> tuple[Similarity, NDArray[np.bool_]]:
    """`a_from_b` by least median of squares, which needs no threshold in metres, then least squares.

    Rousseeuw, "Least Median of Squares Regression" (1984): sigma is 1.4826 (1 + 5 / (n - p)) sqrt(median),
    and inliers are within 2.5 sigma; here a residual has three parts, whose median norm is 1.538 sigma.
    """
    rng = np.random.default_rng(0)
    count = len(points_a)
    best, best_median = None, np.inf
    for _ in range(_TRIALS):
        chosen = rng.choice(count, 3, replace=False)
        if spread(points_b[chosen])[0] < 1e-3 * spread(points_b)[0]:
            continue  # all in one place; on a line they still give a scale, and a turn that others will judge
        candidate = fit_similarity(points_a[chosen], points_b[chosen])
        median = np.median(np.linalg.norm(candidate.apply(points_b) - points_a, axis=1))
        if median < best_median:
            best, best_median = candidate, median
    if best is None:
        best = fit_similarity(points_a, points_b)
    inliers = np.ones(count, dtype=bool)
    sigma = 0.0
    for _ in range(10):
        residuals = np.linalg.norm(best.apply(points_b) - points_a, axis=1)
        sigma = max(sigma, np.median(residuals) / 1.538 * (1 + 5 / max(1, count - 3)))
        # 3.4 sigma hold 99 % of the lengths of three normal parts.
        inliers = residuals <= max(3.4 * sigma, _FINEST_SHARE * spread(points_a)[0])
        if inliers.sum() < MIN_POSES:
            break
        best = fit_similarity(points_a[inliers], points_b[inliers])
        # The best half of the poses always looks too good; those that were let in say how good they really are.
        sigma = _sigma(np.linalg.norm(best.apply(points_b[inliers]) - points_a[inliers], axis=1))
    return best, inliers


def find_time_offset(
    label: str,
    centers_sfm: Array,
    times_s: Array,
    positions: Array,
    position_times_s: Array,
    max_gap_s: float,
) -> float:
    """Seconds by which the clock of a path is ahead of the images', by where on it a similarity lays the images best.

    Args:
        label: of the path, in sentences.
        centers_sfm: (K, 3) of the images, in time.
        times_s: (K,) by the images' clock.
        positions: (N, 3) of the path.
        position_times_s: (N,) ascending, by its own.
        max_gap_s: positions farther apart are not interpolated between.

    Raises:
        RelocError: it fits nowhere, or in several places.
    """
    chosen = evenly(len(times_s), _OFFSET_IMAGES)
    centers_sfm, times_s = centers_sfm[chosen], times_s[chosen]
    first, last = position_times_s[0] - times_s[-1], position_times_s[-1] - times_s[0]
    step = max(_OFFSET_STEP_S, (last - first) / _MOST_OFFSETS)
    path = (positions, position_times_s, max_gap_s)
    offsets = np.arange(first, last, step)
    misfits = _misfits(offsets, centers_sfm, times_s, *path)
    best = int(np.argmin(misfits))
    others = np.abs(offsets - offsets[best]) > max(_OFFSET_APART_S, 2 * step)
    offset, misfit = float(offsets[best]), float(misfits[best])
    for _ in range(4):
        around = offset + step * np.linspace(-1, 1, 21)
        step /= 10
        finer = _misfits(around, centers_sfm, times_s, *path)
        offset, misfit = float(around[np.argmin(finer)]), float(finer.min())
    rival = offsets[others][np.argmin(misfits[others])] if others.any() else None
    remedy = "tell by how many seconds its clock is ahead of the images' with --time-offset"
    if not misfit <= MAX_SIGMA_SHARE**2:
        raise RelocError(
            f"{label}: the way of the images is nowhere on it, whenever they were taken; {remedy}"
        )
    if rival is not None and misfits[others].min() < _OFFSET_CLEAR * max(misfit, 1e-6):
        raise RelocError(
            f"{label}: the images may have been taken on it {offset:.1f} or {rival:.1f} s later than their times say; "
            f"{remedy}"
        )
    return offset


def _misfits(
    offsets: Array,
    centers_sfm: Array,
    times_s: Array,
    positions: Array,
    position_times_s: Array,
    max_gap_s: float,
) -> Array:
    """(C,) for each offset the share of the positions' variance that the best similarity leaves; 1 for few images."""
    asked = offsets[:, None] + times_s
    after = np.clip(np.searchsorted(position_times_s, asked), 1, len(position_times_s) - 1)
    low, high = position_times_s[after - 1], position_times_s[after]
    known = ((asked >= low) & (asked <= high) & (high - low <= max_gap_s)).astype(float)
    share = np.clip((asked - low) / np.maximum(high - low, 1e-12), 0, 1)[..., None]
    found = positions[after - 1] * (1 - share) + positions[after] * share
    counts = known.sum(axis=1)
    weights = known / np.maximum(counts, 1)[:, None]
    enough = counts >= max(MIN_POSES, _OFFSET_SHARE * len(times_s))
    return np.where(enough, left_by_similarities(found, centers_sfm, weights), 1.0)


def _standard_errors(
    similarity: Similarity, points_b: NDArray[np.float64], residuals: NDArray[np.float64]
) -> tuple[float, float]:
    """Of the scale, and in degrees of the rotation about the points' longest axis, which they hold worst."""
    spreads = spread(points_b) * np.sqrt(len(points_b))
    sigma, lever = _sigma(residuals), similarity.scale * float(np.linalg.norm(spreads[1:]))
    turn_error = float(np.degrees(sigma / lever)) if lever > 0 else np.inf
    return sigma / float(np.linalg.norm(spreads)), turn_error


def _sigma(residuals: NDArray[np.float64]) -> float:
    """Of one part of a residual, seven numbers having been fitted."""
    return float(np.sqrt(np.sum(residuals**2) / max(1, 3 * len(residuals) - 7)))


class OnOneLineError(RelocError):
    """Positions on a line give a scale but no frame."""


def _refuse_line(points: NDArray[np.float64], subject: str, frame: bool) -> None:
    first, second, _ = spread(points)
    if first == 0:
        raise RelocError(f"{subject} all in one place; use images taken from different places")
    if frame and second < MIN_SECOND_SPREAD_SHARE * first:
        raise OnOneLineError(
            f"{subject} on one line, which leaves the roll about it open; add --up camera or another source of "
            "gravity, or images beside that line"
        )


def _refuse_contradiction(
    label: str,
    residuals: NDArray[np.float64],
    inliers: NDArray[np.bool_],
    centers_map: NDArray[np.float64],
    remedy: str,
) -> None:
    if inliers.sum() < max(MIN_POSES, MIN_INLIER_SHARE * len(inliers)):
        raise RelocError(
            f"{label} contradicts the map: only {inliers.sum()} of {len(inliers)} poses agree with each other; "
            f"{remedy}"
        )
    typical = float(np.median(residuals))
    if typical > MAX_SIGMA_SHARE * extent(centers_map):
        raise RelocError(
            f"{label} contradicts the map: its positions are off by {typical:.3g} m at the median, over a path of "
            f"{extent(centers_map):.3g} m; {remedy}"
        )


def _orientation_offset_deg(
    label: str, similarity: Similarity, model: SfmModel, pairs: Sequence[tuple[SE3, int]]
) -> float:
    """How far the trajectory's orientations are from the aligned model's, which were fitted to positions alone."""
    moved = [(similarity.move_camera(model.camera_from_map[image]), pose) for pose, image in pairs]
    turns = Rotation.from_matrix([(camera_from_map @ pose).rotation for camera_from_map, pose in moved])
    few = evenly(len(turns), 100)  # one of them is near to their middle
    angles_deg = np.degrees([(turns * turns[row].inv()).magnitude() for row in few])
    scatter = np.median(angles_deg[angles_deg.sum(axis=1).argmin()])
    offset = np.degrees(np.median(turns.magnitude()))
    if scatter > MAX_ORIENTATION_SCATTER_DEG:
        raise RelocError(
            f"{label} contradicts the map: its orientations scatter by {scatter:.0f} deg around the map's; "
            "each line must be map_from_camera, with the quaternion as x y z w"
        )
    if offset > MAX_ORIENTATION_OFFSET_DEG:
        raise RelocError(
            f"{label}: its orientations are all turned by {offset:.0f} deg from the map's; they must be of the "
            "optical camera frame (x right, y down, z forward), not of OpenGL's; of a body, tell --base-from-camera"
        )
    return float(offset)
