import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solvers import SOLVERS, needs_poselib

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.offline.measuring.scores import normalised_error_squared
from reloc_ros.pose.pnp import Correspondences, _linearize, make_solver, refine, reprojection_errors

solvers = pytest.mark.parametrize("solver", SOLVERS)
SIGMA = 0.002
THRESHOLD = 0.012
CAMERA_FROM_MAP = SE3.from_rotation_vector([0.4, -0.7, 1.1], [0.3, -0.2, 4.0])


def scene(
    count: int = 40, sigma: float | np.ndarray = SIGMA, outliers: int = 0, seed: int = 0
) -> Correspondences:
    """Points around the map's origin seen from CAMERA_FROM_MAP; the first ones are found in wrong places."""
    rng = np.random.default_rng(seed)
    points_map = rng.uniform(-1, 1, (count, 3))
    points = CAMERA_FROM_MAP.apply(points_map)
    sigmas = np.broadcast_to(np.asarray(sigma, dtype=float), count)
    rays = points[:, :2] / points[:, 2:] + rng.normal(size=(count, 2)) * sigmas[:, None]
    rays[:outliers] = rng.uniform(-0.4, 0.4, (outliers, 2))
    return Correspondences(points_map, rays, np.maximum(sigmas, 1e-6))


def errors(found: SE3 | None) -> tuple[float, float]:
    assert found is not None
    return rotation_error_deg(found, CAMERA_FROM_MAP), center_error(found, CAMERA_FROM_MAP)


@solvers
def test_exact_correspondences_give_the_exact_pose(solver):
    rotation_deg, position = errors(make_solver(solver)(scene(sigma=0.0), THRESHOLD))
    assert rotation_deg < 1e-3 and position < 1e-4


@solvers
def test_a_map_in_projected_coordinates_gives_the_same_pose(solver):
    """UTM's, of some millions of metres; OpenCV's robust search holds points in single precision."""
    matches, origin = scene(outliers=16), np.array([500_123.0, 4_649_876.0, 120.0])
    far = dataclasses.replace(matches, points_map=matches.points_map + origin)
    near_pose, far_pose = (make_solver(solver)(each, THRESHOLD) for each in (matches, far))
    moved = far_pose @ SE3(np.eye(3), origin)
    assert rotation_error_deg(moved, near_pose) < 1e-6 and center_error(moved, near_pose) < 1e-6
    refined, refined_far = refine(near_pose, matches), refine(far_pose, far)
    assert center_error(refined_far.camera_from_map @ SE3(np.eye(3), origin), refined.camera_from_map) < 1e-6
    np.testing.assert_allclose(refined_far.residuals, refined.residuals, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(refined_far.covariance, refined.covariance, rtol=1e-5, atol=1e-12)


@solvers
@pytest.mark.parametrize("seed", range(8))
def test_pose_is_found_among_forty_percent_outliers(solver, seed):
    matches = scene(outliers=16, seed=seed)
    found = make_solver(solver)(matches, THRESHOLD)
    rotation_deg, position = errors(found)
    assert rotation_deg < 0.5 and position < 0.05
    assert (reprojection_errors(found, matches)[16:] < THRESHOLD).all()


@solvers
def test_solver_gives_the_same_pose_each_time(solver):
    matches = scene(outliers=16)
    first, second = (make_solver(solver)(matches, THRESHOLD) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)


@solvers
def test_solver_leaves_its_input_alone(solver):
    matches, kept = scene(outliers=16), scene(outliers=16)
    make_solver(solver)(matches, THRESHOLD)
    for field in ("points_map", "rays", "sigmas"):
        np.testing.assert_array_equal(getattr(matches, field), getattr(kept, field))


DEGENERATE = {
    "one point": (np.zeros((12, 3)), np.zeros((12, 2))),
    "one point seen everywhere": (np.zeros((12, 3)), np.random.default_rng(0).uniform(-1, 1, (12, 2))),
    "a line": (np.linspace(0, 1, 12)[:, None] * [1, 2, 3], np.linspace(-0.4, 0.4, 12)[:, None] * [1, 0.5]),
    "one ray": (np.random.default_rng(0).uniform(-1, 1, (12, 3)), np.zeros((12, 2))),
    "chaos": tuple(np.random.default_rng(1).uniform(-1, 1, (12, d)) for d in (3, 2)),
    "far rays": (
        np.random.default_rng(0).uniform(-1, 1, (12, 3)),
        1e6 * np.random.default_rng(2).uniform(-1, 1, (12, 2)),
    ),
}


@solvers
@pytest.mark.parametrize("case", DEGENERATE)
def test_hopeless_input_gives_no_pose_or_a_finite_one(solver, case):
    points_map, rays = DEGENERATE[case]
    found = make_solver(solver)(Correspondences(points_map, rays, np.full(12, SIGMA)), THRESHOLD)
    assert found is None or np.isfinite(found.matrix).all()


@pytest.mark.parametrize("solver", ["usac", "opencv"])
def test_an_assertion_of_opencv_is_no_pose(solver, monkeypatch):
    def fail(*_, **__):
        raise cv2.error("(-215:Assertion failed) fabs(sc) > DBL_EPSILON")

    monkeypatch.setattr(cv2, "solvePnPRansac", fail)
    assert make_solver(solver)(scene(), THRESHOLD) is None


@solvers
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), count=st.integers(6, 20))
def test_random_matches_never_raise(solver, seed, count):
    rng = np.random.default_rng(seed)
    matches = Correspondences(
        rng.uniform(-1, 1, (count, 3)), rng.uniform(-1, 1, (count, 2)), rng.uniform(1e-3, 1e-2, count)
    )
    found = make_solver(solver)(matches, THRESHOLD)
    assert found is None or np.isfinite(found.matrix).all()


@solvers
def test_coplanar_landmarks_are_enough(solver):
    matches = scene(outliers=8)
    flat = matches.points_map * [1, 1, 0]
    points = CAMERA_FROM_MAP.apply(flat)
    rays = points[:, :2] / points[:, 2:]
    rays[:8] = matches.rays[:8]
    found = make_solver(solver)(Correspondences(flat, rays, matches.sigmas), THRESHOLD)
    assert errors(found) < (0.1, 0.01)


@needs_poselib
def test_auto_is_poselib_where_it_is_installed():
    assert make_solver("auto") is make_solver("poselib")


def test_auto_is_usac_where_poselib_is_not(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert make_solver("auto") is make_solver("usac")
    with pytest.raises(RelocError, match="poselib is not installed"):
        make_solver("poselib")


def test_unknown_solver_is_refused_and_the_known_ones_named():
    with pytest.raises(RelocError, match="unknown PnP solver 'epnp'; use auto, poselib, usac, opencv"):
        make_solver("epnp")


def test_reprojection_error_is_the_distance_on_the_plane_and_infinite_behind():
    matches = Correspondences(
        np.array([[0, 0, 2.0], [2, 0, 2], [0, 0, -1], [1, 1, 0]]), np.zeros((4, 2)), np.ones(4)
    )
    np.testing.assert_array_equal(reprojection_errors(SE3.identity(), matches), [0, 1, np.inf, np.inf])


def moved_by(step: np.ndarray) -> SE3:
    return SE3.from_rotation_vector(step[3:], step[:3]) @ CAMERA_FROM_MAP


@pytest.mark.parametrize("cauchy_scale", [0.5, 2.0, 1e6])
def test_gradient_is_the_slope_of_the_cost(cauchy_scale):
    matches = scene(outliers=5)
    start = moved_by(np.array([0.01, -0.02, 0.03, 0.01, 0.02, -0.01]))
    _, _, gradient = _linearize(start, matches, cauchy_scale)
    step = 1e-6
    for axis in range(6):
        delta = step * np.eye(6)[axis]
        cost_up, cost_down = (
            _linearize(SE3.from_rotation_vector(d[3:], d[:3]) @ start, matches, cauchy_scale)[0]
            for d in (delta, -delta)
        )
        assert gradient[axis] == pytest.approx((cost_up - cost_down) / (2 * step), rel=1e-4)


def test_normal_matrix_is_that_of_the_numerical_jacobian():
    matches = scene(sigma=np.linspace(0.001, 0.01, 40))

    def residuals(step: np.ndarray) -> np.ndarray:
        points = moved_by(step).apply(matches.points_map)
        return ((points[:, :2] / points[:, 2:] - matches.rays) / matches.sigmas[:, None]).ravel()

    step = 1e-6
    jacobian = np.column_stack([(residuals(step * e) - residuals(-step * e)) / (2 * step) for e in np.eye(6)])
    _, normal, _ = _linearize(CAMERA_FROM_MAP, matches, 1e9)  # so wide that nothing is weighted down
    np.testing.assert_allclose(normal, jacobian.T @ jacobian, rtol=1e-5, atol=1e-2)


def test_refinement_brings_a_rough_pose_to_the_exact_one():
    start = moved_by(np.array([0.05, -0.08, 0.1, 0.03, -0.04, 0.05]))
    refined = refine(start, scene(sigma=0.0))
    assert errors(refined.camera_from_map) < (1e-6, 1e-6)
    assert refined.residuals.max() < 1e-7


def test_refinement_never_raises_the_cost():
    for seed in range(20):
        matches = scene(outliers=10, seed=seed)
        start = moved_by(np.random.default_rng(seed).normal(0, 0.05, 6))
        before = _linearize(start, matches, 2.0)[0]
        assert _linearize(refine(start, matches).camera_from_map, matches, 2.0)[0] <= before


def test_refinement_shrugs_off_a_few_wrong_matches():
    matches = scene(outliers=4, seed=3)
    with_outliers = refine(CAMERA_FROM_MAP, matches).camera_from_map
    without = refine(CAMERA_FROM_MAP, matches.subset(np.arange(4, 40))).camera_from_map
    assert rotation_error_deg(with_outliers, without) < 0.05


def test_refinement_trusts_sharp_keypoints_more():
    sigma = np.where(np.arange(40) < 20, 0.0005, 0.02)
    weighted, blind = [], []
    for seed in range(30):
        matches = scene(sigma=sigma, seed=seed)
        weighted.append(errors(refine(CAMERA_FROM_MAP, matches).camera_from_map)[1])
        same = dataclasses.replace(matches, sigmas=np.full(40, 0.01))
        blind.append(errors(refine(CAMERA_FROM_MAP, same).camera_from_map)[1])
    assert np.median(weighted) < 0.3 * np.median(blind)


def scene_of_an_unsure_map(seed: int, told: float = 1.0) -> Correspondences:
    """Half of the points are off along an axis of their own, 5 % of their distance; so much of it is `told`."""
    exact, rng = scene(sigma=0.0), np.random.default_rng(seed)
    axes = np.random.default_rng(1).normal(size=(40, 3))
    axes *= np.where(np.arange(40) < 20, 0.2, 1e-9)[:, None] / np.linalg.norm(axes, axis=1, keepdims=True)
    found = CAMERA_FROM_MAP.apply(exact.points_map + axes * rng.normal(size=(40, 1)))
    rays = found[:, :2] / found[:, 2:] + rng.normal(0, SIGMA, (40, 2))
    covariances = told * axes[:, :, None] * axes[:, None]
    return Correspondences(exact.points_map, rays, np.full(40, SIGMA), covariances)


def test_points_that_the_map_is_unsure_of_count_less_and_the_covariance_is_honest():
    poses, blind, nees = [], [], []
    for seed in range(60):
        matches = scene_of_an_unsure_map(seed)
        refined = refine(CAMERA_FROM_MAP, matches)
        poses.append(errors(refined.camera_from_map)[1])
        without = dataclasses.replace(matches, covariances_map=None)
        blind.append(errors(refine(CAMERA_FROM_MAP, without).camera_from_map)[1])
        nees.append(normalised_error_squared(refined.camera_from_map, refined.covariance, CAMERA_FROM_MAP))
    assert np.median(poses) < 0.8 * np.median(blind)
    assert 4 < np.mean(nees) < 9  # chi-square of six


def test_points_that_are_exact_give_the_pose_that_they_give_without_covariances():
    matches = scene_of_an_unsure_map(0, told=0.0)
    found, without = (
        refine(CAMERA_FROM_MAP, each)
        for each in (matches, dataclasses.replace(matches, covariances_map=None))
    )
    np.testing.assert_array_equal(found.camera_from_map.matrix, without.camera_from_map.matrix)
    np.testing.assert_array_equal(found.covariance, without.covariance)


@given(st.integers(0, 1000), st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_the_frame_of_the_map_does_not_matter_to_what_covariances_of_points_do(seed, turn, shift):
    matches = scene_of_an_unsure_map(seed)
    other = SE3.from_rotation_vector([turn, 0.3, -turn], [shift, 1.0, -shift])
    moved = dataclasses.replace(
        matches,
        points_map=other.apply(matches.points_map),
        covariances_map=other.rotation @ matches.covariances_map @ other.rotation.T,
    )
    here, there = refine(CAMERA_FROM_MAP, matches), refine(CAMERA_FROM_MAP @ other.inverse(), moved)
    assert center_error(there.camera_from_map @ other, here.camera_from_map) < 1e-6
    np.testing.assert_allclose(np.trace(there.covariance), np.trace(here.covariance), rtol=1e-6)


def test_a_part_of_the_matches_keeps_the_covariances_of_its_points():
    matches = scene_of_an_unsure_map(0)
    part = matches.subset(np.arange(7, 30))
    np.testing.assert_array_equal(part.covariances_map, matches.covariances_map[7:30])


def pose_errors(count: int, sigma: float, told: float) -> tuple[np.ndarray, np.ndarray]:
    """Errors (N, 6) of map_from_camera as the covariance means them, and the covariances (N, 6, 6)."""
    exact = scene(count, sigma=0.0)
    steps, covariances = [], []
    for seed in range(400):
        noise = np.random.default_rng(seed).normal(0, sigma, (count, 2))
        matches = Correspondences(exact.points_map, exact.rays + noise, np.full(count, told))
        refined = refine(CAMERA_FROM_MAP, matches)
        true, found = CAMERA_FROM_MAP.inverse(), refined.camera_from_map.inverse()
        turn = SE3(found.rotation @ true.rotation.T, np.zeros(3)).rotation_vector
        steps.append(np.concatenate([found.translation - true.translation, turn]))
        covariances.append(refined.covariance)
    return np.array(steps), np.array(covariances)


@pytest.mark.parametrize("count", [12, 40])
@pytest.mark.parametrize("factor", [1, 3])
def test_covariance_is_that_of_many_trials_even_when_the_sigmas_promise_too_much(count, factor):
    steps, covariances = pose_errors(count, factor * SIGMA, SIGMA)
    measured, told = np.cov(steps.T), covariances.mean(axis=0)
    ratio = np.sqrt(np.diag(told) / np.diag(measured))
    assert (ratio > 0.85).all() and (ratio < 1.5).all()
    # Not only along the axes: in the directions of the measured ellipsoid too, large and small.
    scales = np.sqrt(np.linalg.eigvals(np.linalg.solve(measured, told)).real)
    assert (scales > 0.8).all() and (scales < 1.6).all()


def test_a_pose_behind_the_points_is_left_as_it_is_and_says_so():
    start = SE3.from_rotation_vector([0, np.pi, 0], [0, 0, 0]) @ CAMERA_FROM_MAP
    refined = refine(start, scene())
    np.testing.assert_array_equal(refined.camera_from_map.matrix, start.matrix)
    assert np.isinf(refined.residuals).all() and np.isfinite(refined.covariance).all()


def test_covariance_is_symmetric_and_positive():
    covariance = refine(CAMERA_FROM_MAP, scene()).covariance
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-6, atol=1e-15)
    assert np.linalg.eigvalsh(covariance).min() > 0
