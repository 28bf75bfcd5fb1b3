import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.geometry import SE3
from reloc_ros.pose.covariance import step_between
from reloc_ros.pose.fusion import Measured, agreeing, distance, fused

SEEDS = st.integers(0, 2**31)


def covariance(rng, sigma=0.02):
    factor = sigma * rng.normal(size=(6, 6))
    return factor @ factor.T + (0.2 * sigma) ** 2 * np.eye(6)


def pose(rng):
    return SE3.from_rotation_vector(rng.normal(size=3), 5 * rng.normal(size=3))


def disturbed(truth, error):
    turn = SE3.from_rotation_vector(error[3:], np.zeros(3)).rotation
    return SE3(turn @ truth.rotation, truth.translation + error[:3])


def measured(rng, truth, count=2):
    """With errors as their covariances tell."""
    covariances = [covariance(rng) for _ in range(count)]
    return [Measured(disturbed(truth, rng.multivariate_normal(np.zeros(6), c)), c) for c in covariances]


@given(SEEDS)
def test_the_difference_of_two_poses_leads_from_one_to_the_other(seed):
    rng = np.random.default_rng(seed)
    one = pose(rng)
    error = 0.3 * rng.normal(size=6)
    np.testing.assert_allclose(step_between(one, disturbed(one, error)), error, atol=1e-9)
    np.testing.assert_allclose(step_between(one, one), 0, atol=1e-12)


@given(SEEDS)
def test_positions_alone_are_fused_as_a_weighted_mean(seed):
    rng = np.random.default_rng(seed)
    sigmas = rng.uniform(0.01, 1, (3, 6))
    shifts = rng.normal(size=(3, 3))
    found = fused([Measured(SE3(np.eye(3), t), np.diag(s**2)) for t, s in zip(shifts, sigmas, strict=True)])
    weights = 1 / sigmas[:, :3] ** 2
    np.testing.assert_allclose(
        found.map_from_body.translation, (weights * shifts).sum(0) / weights.sum(0), atol=1e-9
    )
    np.testing.assert_allclose(np.diag(found.covariance)[:3], 1 / weights.sum(0))


@given(SEEDS)
def test_it_does_not_matter_in_which_frame_or_order_poses_are_fused(seed):
    rng = np.random.default_rng(seed)
    ones, other_from_map = measured(rng, pose(rng), 3), pose(rng)
    turn = np.kron(np.eye(2), other_from_map.rotation)
    moved = [Measured(other_from_map @ m.map_from_body, turn @ m.covariance @ turn.T) for m in ones[::-1]]
    here, there = fused(ones), fused(moved)
    np.testing.assert_allclose(
        (other_from_map @ here.map_from_body).matrix, there.map_from_body.matrix, atol=1e-8
    )
    np.testing.assert_allclose(turn @ here.covariance @ turn.T, there.covariance, atol=1e-12)


def test_one_pose_stays_what_it_is():
    only = measured(np.random.default_rng(0), SE3.identity(), 1)
    assert fused(only) is only[0]


def test_what_two_know_together_is_as_much_as_they_say():
    rng, squares = np.random.default_rng(0), []
    for _ in range(400):
        truth = pose(rng)
        found = fused(measured(rng, truth))
        error = step_between(found.map_from_body, truth)
        squares.append(error @ np.linalg.solve(found.covariance, error))
    assert np.mean(squares) == pytest.approx(6, abs=0.6)


@pytest.mark.parametrize(
    ("shifts", "group"),
    [
        ([0, 0], (0, 1)),
        ([0, 1], ()),
        ([0], (0,)),
        ([], ()),
        ([0, 0.01, 1], (0, 1)),
        ([1, 0, 0.01], (1, 2)),
        ([0, 0, 1, 1], ()),
        ([0, 1, 2], ()),
    ],
)
def test_only_more_than_half_are_a_group_that_agrees(shifts, group):
    ones = [Measured(SE3(np.eye(3), np.array([x, 0.0, 0.0])), 0.01**2 * np.eye(6)) for x in shifts]
    assert agreeing(ones, gate=5.0) == group


def test_the_distance_counts_in_standard_deviations_of_both():
    one, other = (Measured(SE3(np.eye(3), np.array([x, 0, 0])), np.eye(6)) for x in (0.0, 2 * np.sqrt(2)))
    assert distance(one, other) == pytest.approx(2)
