"""The covariance of a pose that is moved along a mount, against the cloud of moved poses itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.pose.covariance import CovarianceLimits, moved_covariance

MOUNT = SE3.from_rotation_vector([1.2, -0.7, 2.0], [0.4, -0.9, 1.5])
MAP_FROM_CAMERA = SE3.from_rotation_vector([-0.3, 1.9, 0.8], [5.0, -2.0, 1.1])


def random_covariance(seed: int) -> np.ndarray:
    """Correlated across all six axes: some centimetres and about a degree."""
    factor = np.random.default_rng(seed).normal(size=(6, 6)) * ([0.02] * 3 + [0.01] * 3)
    return factor.T @ factor


def difference(true: SE3, estimate: SE3) -> np.ndarray:
    """(6,) shift of the origin and rotation vector about the map's axes, from the estimate to the truth."""
    turn = SE3(true.rotation @ estimate.rotation.T, np.zeros(3)).rotation_vector
    return np.concatenate([true.translation - estimate.translation, turn])


def perturbed(pose: SE3, delta: np.ndarray) -> SE3:
    turn = SE3.from_rotation_vector(delta[3:], np.zeros(3)).rotation
    return SE3(turn @ pose.rotation, pose.translation + delta[:3])


@pytest.mark.parametrize("seed", range(3))
def test_moved_covariance_is_that_of_many_moved_poses(seed):
    covariance = random_covariance(seed)
    draws = np.random.default_rng(10 + seed).multivariate_normal(np.zeros(6), covariance, 20_000)
    base = MAP_FROM_CAMERA @ MOUNT
    moved = np.array([difference(perturbed(MAP_FROM_CAMERA, d) @ MOUNT, base) for d in draws])
    expected = moved.T @ moved / len(moved)
    sigmas = np.sqrt(np.diag(expected))
    result = moved_covariance(covariance, MAP_FROM_CAMERA, MOUNT)
    # The share of 20,000 draws that is chance is sqrt(2 / N) = 1 %.
    np.testing.assert_allclose(
        result / np.outer(sigmas, sigmas), expected / np.outer(sigmas, sigmas), atol=0.04
    )


def test_a_turn_of_the_camera_swings_what_is_far_from_it():
    covariance = np.diag([0, 0, 0, 0, 0, 0.01**2])  # about the vertical of the map
    ahead = SE3(np.eye(3), np.array([2.0, 0, 0]))
    sigmas = np.sqrt(np.diag(moved_covariance(covariance, SE3.identity(), ahead)))
    np.testing.assert_allclose(sigmas, [0, 0.02, 0, 0, 0, 0.01], atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(-np.pi, np.pi))
def test_a_mount_that_only_turns_changes_nothing(seed, angle):
    covariance = random_covariance(seed)
    mount = SE3.from_rotation_vector([0, angle, 0], np.zeros(3))
    np.testing.assert_allclose(moved_covariance(covariance, MAP_FROM_CAMERA, mount), covariance, atol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_moving_on_and_back_ends_where_it_began(seed):
    covariance = random_covariance(seed)
    there = moved_covariance(covariance, MAP_FROM_CAMERA, MOUNT)
    back = moved_covariance(there, MAP_FROM_CAMERA @ MOUNT, MOUNT.inverse())
    np.testing.assert_allclose(back, covariance, atol=1e-12)
    np.testing.assert_array_equal(there, there.T)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(0, 0.1), st.floats(0, 0.1))
def test_limits_leave_a_covariance_with_no_deviation_below_the_floor(seed, scale, position, rotation):
    covariance = random_covariance(seed)
    limited = CovarianceLimits(scale, position, rotation).apply(covariance)
    sigmas = np.sqrt(np.diag(limited))
    assert (sigmas[:3] >= position - 1e-12).all()
    assert (sigmas[3:] >= rotation - 1e-12).all()
    assert np.linalg.eigvalsh(limited - scale * covariance).min() > -1e-12
    high = np.sqrt(scale * np.diag(covariance)) > np.repeat([position, rotation], 3)
    np.testing.assert_allclose(
        limited[np.ix_(high, high)], scale * covariance[np.ix_(high, high)], atol=1e-15
    )


@pytest.mark.parametrize(
    "limits",
    [{"scale": 0.0}, {"scale": float("nan")}, {"position_floor": -1.0}, {"rotation_floor": float("inf")}],
)
def test_limits_without_sense_are_refused_by_name(limits):
    with pytest.raises(RelocError, match=next(iter(limits))):
        CovarianceLimits(**limits)
