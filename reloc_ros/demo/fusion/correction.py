"""Odometry that drifts, and poses from pictures that correct it: by map -> odom, and in a Kalman filter. (filterpy)"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from filterpy.kalman import ExtendedKalmanFilter

from reloc_ros.demo.film.trajectories import CAMERA, Array
from reloc_ros.demo.fusion.robot import (
    BASE_FROM_CAMERA,
    ODOMETRY_HZ,
    Drive,
    Slip,
    moved,
    planar_from_se3,
    se3_from_planar,
    wrapped,
)
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3
from reloc_ros.localizer import Localized, Localizer
from reloc_ros.offline.measuring.scores import nees, normalised_error_squared
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.pose.covariance import CovarianceLimits, moved_covariance
from reloc_ros.pose.planar import PLANAR
from reloc_ros.stream.status import StatusMachine


@dataclasses.dataclass(frozen=True, eq=False)
class Fix:
    """What became of one picture."""

    row: int
    """Of the drive, when it was taken."""
    map_from_base: SE3 | None
    """None: lost, or not believed."""
    covariance: Array | None
    """(6, 6) of map_from_base."""

    @property
    def is_lost(self) -> bool:
        return self.map_from_base is None


def take_fixes(
    run: Drive, localizer: Localizer, rate_hz: float, limits: CovarianceLimits, progress: Progress = silent
) -> list[Fix]:
    """Render, localize and judge pictures at a rate, as the node does with those of a camera."""
    renderer = Renderer(reading_corner().faces, CAMERA)
    exposure, status, fixes = Exposure(noise=1.5), StatusMachine(), []
    rows = range(0, len(run), round(ODOMETRY_HZ / rate_hz))
    for index, row in enumerate(rows):
        map_from_camera = se3_from_planar(run.truth[row]) @ BASE_FROM_CAMERA
        image = exposure.record(renderer.render(map_from_camera.inverse()).image, seed=index)
        fixes.append(_fix(row, localizer.localize(image, CAMERA), status, run.times_s[row], limits))
        progress("localize", index + 1, len(rows))
    return fixes


def _fix(row: int, result, status: StatusMachine, time_s: float, limits: CovarianceLimits) -> Fix:
    if not isinstance(result, Localized):
        status.lost(result.reason.value, result.detail)
        return Fix(row, None, None)
    if not status.localized(result.camera_from_map, time_s).publish:
        return Fix(row, None, None)
    map_from_camera, camera_from_base = result.camera_from_map.inverse(), BASE_FROM_CAMERA.inverse()
    covariance = moved_covariance(result.covariance, map_from_camera, camera_from_base)
    return Fix(row, map_from_camera @ camera_from_base, limits.apply(covariance))


def placed_odometry(run: Drive, fixes: Sequence[Fix]) -> Array:
    """(N, 3) the base in the map by the newest map -> odom and the odometry since; NaN before the first."""
    held: SE3 | None = None
    by_row = {fix.row: fix for fix in fixes}
    placed = np.full((len(run), 3), np.nan)
    for row, odometry in enumerate(run.odometry):
        odom_from_base = se3_from_planar(odometry)
        fix = by_row.get(row)
        if fix is not None and fix.map_from_base is not None:
            held = fix.map_from_base @ odom_from_base.inverse()
        if held is not None:
            placed[row] = planar_from_se3(held @ odom_from_base)
    return placed


@dataclasses.dataclass(frozen=True, eq=False)
class Filtered:
    """What a Kalman filter made of the odometry and the poses."""

    poses: Array
    """(N, 3) NaN before the first fix."""
    nees: Array
    """(N,) squared error in units of the covariance it claims; 3 on average when that is honest."""


def filtered(run: Drive, fixes: Sequence[Fix], slip: Slip) -> Filtered:
    """Fuse with filterpy's extended Kalman filter: odometry steps predict, poses with their covariance correct."""
    by_row = {fix.row: fix for fix in fixes if not fix.is_lost}
    poses, errors = np.full((len(run), 3), np.nan), np.full(len(run), np.nan)
    ekf: ExtendedKalmanFilter | None = None
    step_variance = np.diag([slip.position**2, slip.position**2, slip.yaw**2]) / ODOMETRY_HZ
    for row in range(len(run)):
        if ekf is not None:
            _predict(ekf, run.steps[row], step_variance)
        if row in by_row:
            ekf = _update(ekf, by_row[row])
        if ekf is not None:
            poses[row] = ekf.x
            errors[row] = nees(_difference(ekf.x, run.truth[row]), ekf.P)
    return Filtered(poses, errors)


def _predict(ekf: ExtendedKalmanFilter, step: Array, step_variance: Array) -> None:
    before = ekf.x
    sine, cosine = np.sin(before[2]), np.cos(before[2])
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    ekf.x = moved(before, step)
    ekf.F = np.eye(3)
    ekf.F[:2, 2] = [-(ekf.x[1] - before[1]), ekf.x[0] - before[0]]
    ekf.P = ekf.F @ ekf.P @ ekf.F.T + turn @ step_variance @ turn.T


def _update(ekf: ExtendedKalmanFilter | None, fix: Fix) -> ExtendedKalmanFilter:
    seen, variance = planar_from_se3(fix.map_from_base), fix.covariance[np.ix_(PLANAR, PLANAR)]
    if ekf is None:
        ekf = ExtendedKalmanFilter(dim_x=3, dim_z=3)
        ekf.x, ekf.P = seen, variance
        return ekf
    ekf.update(seen, lambda _: np.eye(3), lambda x: x, R=variance, residual=_difference)
    return ekf


def _difference(a: Array, b: Array) -> Array:
    return np.array([*(a[:2] - b[:2]), wrapped(a[2] - b[2])])


def position_errors(poses: Array, truth: Array) -> Array:
    """(N,) metres."""
    return np.linalg.norm(poses[:, :2] - truth[:, :2], axis=1)


def pose_nees(run: Drive, fixes: Sequence[Fix]) -> Array:
    """(M,) squared error of each pose that counts in units of its own covariance; 6 on average when that is honest."""
    true = {fix.row: se3_from_planar(run.truth[fix.row]).inverse() for fix in fixes}
    seen = [fix for fix in fixes if not fix.is_lost]
    return np.array(
        [normalised_error_squared(f.map_from_base.inverse(), f.covariance, true[f.row]) for f in seen]
    )


@dataclasses.dataclass(frozen=True)
class Figures:
    """What the run shows, in numbers."""

    seconds: float
    pictures: int
    lost: int
    longest_lost_s: float
    odometry_error_max: float
    """Metres; alone, it grows on."""
    placed_error_median: float
    placed_error_max: float
    """By map -> odom, lost stretch included."""
    filter_error_median: float
    filter_error_max: float
    pose_error_median: float
    pose_nees_mean: float
    """Of 6."""
    pose_nees_median: float
    """Of 5.35; a few bad poses do not move it."""
    filter_nees_mean: float
    """Of 3."""
    filter_nees_within_95: float
    """Share of the time; 0.95 when honest."""


CHI_SQUARE_3_95 = 7.815
"""Of three degrees of freedom: an honest estimate is within 19 times of 20."""


def figures(run: Drive, fixes: Sequence[Fix], placed: Array, fused: Filtered) -> Figures:
    known = np.isfinite(placed[:, 0])
    placed_error = position_errors(placed, run.truth)[known]
    filter_error = position_errors(fused.poses, run.truth)[known]
    seen = [fix for fix in fixes if fix.map_from_base is not None]
    pose_error = [np.linalg.norm(fix.map_from_base.translation[:2] - run.truth[fix.row, :2]) for fix in seen]
    own = pose_nees(run, fixes)
    gaps = np.diff([run.times_s[fix.row] for fix in seen])
    return Figures(
        seconds=float(run.times_s[-1]),
        pictures=len(fixes),
        lost=len(fixes) - len(seen),
        longest_lost_s=float(gaps.max()),
        odometry_error_max=float(position_errors(run.odometry, run.truth).max()),
        placed_error_median=float(np.median(placed_error)),
        placed_error_max=float(placed_error.max()),
        filter_error_median=float(np.median(filter_error)),
        filter_error_max=float(filter_error.max()),
        pose_error_median=float(np.median(pose_error)),
        pose_nees_mean=float(own.mean()),
        pose_nees_median=float(np.median(own)),
        filter_nees_mean=float(np.nanmean(fused.nees)),
        filter_nees_within_95=float(np.mean(fused.nees[known] <= CHI_SQUARE_3_95)),
    )
