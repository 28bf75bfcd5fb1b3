"""Camera pose from 2D-3D correspondences: a robust search, then a weighted refinement with its covariance.

Both work on the plane z = 1 of the camera, where every camera model is a pinhole; pixel thresholds are carried
there by the mean focal length.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from collections.abc import Callable
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3

Array = NDArray[np.float64]
_CONVERGED = 1e-6
"""Relative fall of the cost below which a pose moves by about a hundredth of its own sigma, and is left there."""
Solver = Literal["auto", "poselib", "usac", "opencv"]


@dataclasses.dataclass(frozen=True)
class Correspondences:
    """N landmarks and where they were found."""

    points_map: Array
    """(N, 3) in the map."""
    rays: Array
    """(N, 2) undistorted keypoints on the plane z = 1."""
    sigmas: Array
    """(N,) standard deviation per axis on that plane."""
    covariances_map: Array | None = None
    """(N, 3, 3) of the points in the map; None: they are exact, or the sigmas hold what they are off by."""

    def __len__(self) -> int:
        return len(self.rays)

    def subset(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Correspondences:
        own = self.covariances_map
        kept = None if own is None else own[rows]
        return Correspondences(self.points_map[rows], self.rays[rows], self.sigmas[rows], kept)


@dataclasses.dataclass(frozen=True)
class Refined:
    """A pose after weighted refinement."""

    camera_from_map: SE3
    covariance: Array
    """(6, 6) of map_from_camera: position in the map, then rotation about the map's fixed axes (REP-103)."""
    residuals: Array
    """(N,) reprojection errors on the plane z = 1."""

    def scaled(self, factor: float) -> Refined:
        """The same with `factor` times the standard deviations."""
        return dataclasses.replace(self, covariance=factor**2 * self.covariance)


def make_solver(name: Solver) -> Callable[[Correspondences, float], SE3 | None]:
    """The robust solver by name; `auto` is PoseLib where it is installed, else OpenCV's USAC.

    `opencv` is `solvePnPRansac` with its defaults, the baseline that much older code uses.
    """
    if name == "auto":
        name = "poselib" if importlib.util.find_spec("poselib") else "usac"
    if name not in _SOLVERS:
        raise RelocError(f"unknown PnP solver {name!r}; use auto, {', '.join(_SOLVERS)}")
    if name == "poselib" and importlib.util.find_spec("poselib") is None:
        raise RelocError("PnP solver poselib is not installed; run pip install poselib or choose usac")
    return _SOLVERS[name]


def _solve_poselib(matches: Correspondences, threshold: float) -> SE3 | None:
    import poselib  # not on every robot: it has no aarch64 wheels

    camera = {"model": "SIMPLE_PINHOLE", "width": 2, "height": 2, "params": [1.0, 0.0, 0.0]}
    pose, info = poselib.estimate_absolute_pose(
        matches.rays,
        matches.points_map,
        camera,
        {"max_reproj_error": threshold, "min_iterations": 100, "max_iterations": 2000, "seed": 0},
        {"loss_type": "TRUNCATED", "loss_scale": threshold},
    )
    if info["num_inliers"] < 4:
        return None
    return SE3(np.array(pose.R), np.array(pose.t))


def _solve_opencv(matches: Correspondences, threshold: float, **options: Any) -> SE3 | None:
    """OpenCV's defaults: 100 iterations, iterative refinement; only the threshold is ours, its unit being scaled."""
    cv2.setRNGSeed(0)
    try:
        found, rotation_vector, translation, _ = cv2.solvePnPRansac(
            matches.points_map, matches.rays[:, None], np.eye(3), None, reprojectionError=threshold, **options
        )
    except cv2.error:  # rays that are all one: an assertion in 4.5, no pose in later versions
        return None
    if not found or not (np.isfinite(rotation_vector).all() and np.isfinite(translation).all()):
        return None
    return SE3.from_rotation_vector(rotation_vector, translation)


# MAGSAC assumes pixels: on the plane z = 1 it fails on two of five images.
_USAC: dict[str, Any] = {"iterationsCount": 2000, "confidence": 0.9999, "flags": cv2.USAC_ACCURATE}


def _solve_usac(matches: Correspondences, threshold: float) -> SE3 | None:
    """Its answer is that of its best sample; moved to what all that agree say, as the other two end."""
    pose = _solve_opencv(matches, threshold, **_USAC)
    if pose is None or np.count_nonzero(near := reprojection_errors(pose, matches) < threshold) < 4:
        return pose
    try:
        return minimise(pose, matches.subset(near), iterations=5)
    except np.linalg.LinAlgError:  # they lie so that they fix no pose
        return pose


def _solve_about_the_middle(
    solve: Callable[[Correspondences, float], SE3 | None], matches: Correspondences, threshold: float
) -> SE3 | None:
    """Solve in coordinates about the landmarks' middle.

    OpenCV holds points in single precision, and PoseLib turns about the origin: in projected coordinates of millions of
    metres neither finds a pose.
    """
    middle = matches.points_map.mean(axis=0) if len(matches) else np.zeros(3)
    pose = solve(dataclasses.replace(matches, points_map=matches.points_map - middle), threshold)
    return None if pose is None else SE3(pose.rotation, pose.translation - pose.rotation @ middle)


_SOLVERS: dict[str, Callable[[Correspondences, float], SE3 | None]] = {
    name: functools.partial(_solve_about_the_middle, solve)
    for name, solve in (
        ("poselib", _solve_poselib),
        ("usac", _solve_usac),
        ("opencv", _solve_opencv),
    )
}


def reprojection_errors(camera_from_map: SE3, matches: Correspondences) -> Array:
    """(N,) distances on the plane z = 1; infinity for points not in front of the camera."""
    points = camera_from_map.apply(matches.points_map)
    in_front = points[:, 2] > 1e-9
    errors = np.full(len(points), np.inf)
    plane = points[in_front, :2] / points[in_front, 2:]
    errors[in_front] = np.linalg.norm(plane - matches.rays[in_front], axis=1)
    return errors


def refine(start: SE3, matches: Correspondences, iterations: int = 10, cauchy_scale: float = 2.0) -> Refined:
    """Minimise the Cauchy loss of the reprojection errors in units of sigma; the covariance is from the normal matrix.

    Where the residuals are larger than the sigmas promise, the sigmas are scaled up to them first: the loss would
    take honest residuals for outliers, and the covariance would be too small (Triggs et al., "Bundle Adjustment -
    A Modern Synthesis", 2000, sections 3 and 5).
    """
    matches = _with_errors_of_points(start, matches)
    pose = minimise(start, matches, iterations, cauchy_scale)
    excess = _excess_variance(pose, matches)
    if 1 < excess < np.inf:
        matches = dataclasses.replace(matches, sigmas=matches.sigmas * np.sqrt(excess))
        pose = minimise(pose, matches, iterations, cauchy_scale)
    _, normal, _ = _linearize(pose, matches, cauchy_scale)
    covariance = _covariance_in_map(pose, np.linalg.inv(normal))
    return Refined(pose, covariance, reprojection_errors(pose, matches))


def minimise(pose: SE3, matches: Correspondences, iterations: int, cauchy_scale: float = 2.0) -> SE3:
    """Move a pose down the Cauchy loss by Levenberg-Marquardt; the cost never rises.

    Raises:
        LinAlgError: the matches fix no pose.
    """
    damping = 1e-4
    cost, normal, gradient = _linearize(pose, matches, cauchy_scale)
    for _ in range(iterations):
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
        moved = SE3.from_rotation_vector(step[3:], step[:3]) @ pose
        new_cost, new_normal, new_gradient = _linearize(moved, matches, cauchy_scale)
        if new_cost < cost:
            converged = cost - new_cost < _CONVERGED * cost
            pose, cost, normal, gradient = moved, new_cost, new_normal, new_gradient
            damping = max(damping / 10, 1e-9)
            if converged:
                break
        else:
            damping *= 10
            if damping > 1e6:
                break
    return pose


def _with_errors_of_points(pose: SE3, matches: Correspondences) -> Correspondences:
    """The same with sigmas that hold what the points are off by, too, as seen from a pose; the mean of both axes.

    Vakhitov et al., "Uncertainty-Aware Camera Pose Estimation from Points and Lines", CVPR 2021, whiten by both
    axes; on sharpened poses of real photographs that is no better than their mean.
    """
    if matches.covariances_map is None:
        return matches
    points = pose.apply(matches.points_map)
    inverse_depth = 1 / np.maximum(points[:, 2], 1e-9)
    # The camera's v moves each point alike; in the map, the same step is turned.
    moved = motion_jacobian(points[:, :2] * inverse_depth[:, None], inverse_depth)
    jacobian = moved[:, :, :3] @ pose.rotation
    variances = 0.5 * np.einsum("nki,nij,nkj->n", jacobian, matches.covariances_map, jacobian)
    sigmas = np.sqrt(matches.sigmas**2 + variances)
    return dataclasses.replace(matches, sigmas=sigmas, covariances_map=None)


def _excess_variance(pose: SE3, matches: Correspondences) -> float:
    """Variance of the residuals in units of sigma, per axis, from their median: outliers do not move it."""
    square = (reprojection_errors(pose, matches) / matches.sigmas) ** 2
    # The square of two standard normals has the median 2 ln 2; six of the 2 N degrees of freedom went to the pose.
    return float(np.median(square) / (2 * np.log(2)) * 2 * len(matches) / max(2 * len(matches) - 6, 1))


def _linearize(pose: SE3, matches: Correspondences, cauchy_scale: float) -> tuple[float, Array, Array]:
    """Cost, normal matrix (6, 6) and gradient (6,), for a left perturbation (v, omega)."""
    points = pose.apply(matches.points_map)
    if (points[:, 2] <= 1e-9).any():
        return np.inf, np.eye(6), np.zeros(6)
    inverse_depth = 1 / points[:, 2]
    plane = points[:, :2] * inverse_depth[:, None]
    errors = (plane - matches.rays) / matches.sigmas[:, None]
    square = np.einsum("ni,ni->n", errors, errors)
    weight = 1 / (1 + square / cauchy_scale**2)
    # Rows of the jacobian and of the errors, whitened: times the root of the weight, over sigma.
    jacobian = motion_jacobian(plane, inverse_depth) * (np.sqrt(weight) / matches.sigmas)[:, None, None]
    errors *= np.sqrt(weight)[:, None]
    flat = jacobian.reshape(-1, 6)
    cost = 0.5 * cauchy_scale**2 * np.log1p(square / cauchy_scale**2).sum()
    return float(cost), flat.T @ flat, flat.T @ errors.ravel()


def motion_jacobian(plane: Array, inverse_depth: Array) -> Array:
    """(N, 2, 6) d(x, y) / d(v, omega) of x = X/Z, y = Y/Z under the left perturbation P -> P + omega x P + v.

    Szeliski, "Computer Vision" (2nd ed.), 11.2.

    Args:
        plane: (N, 2) the points on the plane z = 1.
        inverse_depth: (N,) 1 / Z.
    """
    (x, y), rows = plane.T, np.zeros((len(plane), 2, 6))
    rows[:, 0, 0] = rows[:, 1, 1] = inverse_depth
    rows[:, 0, 2], rows[:, 1, 2] = -x * inverse_depth, -y * inverse_depth
    rows[:, 1, 4] = x * y
    rows[:, 0, 3] = -rows[:, 1, 4]
    rows[:, 0, 4], rows[:, 1, 3] = 1 + x * x, -1 - y * y
    rows[:, 0, 5], rows[:, 1, 5] = -y, x
    return rows


def _covariance_in_map(camera_from_map: SE3, covariance_camera: NDArray[np.floating]) -> Array:
    """Move the covariance of a left perturbation of camera_from_map to map_from_camera.

    With P' = P + omega x P + v in the camera, the centre moves by -R^T v and the frame turns by -R^T omega in the
    map, so both blocks rotate by R^T and the signs cancel in the product.
    """
    rotation = np.kron(np.eye(2), camera_from_map.rotation.T)
    moved: Array = rotation @ covariance_camera @ rotation.T
    return moved
