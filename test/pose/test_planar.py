import numpy as np
import pytest

from reloc_ros.geometry import SE3
from reloc_ros.pose.level import tilt_deg
from reloc_ros.pose.planar import GROUND_SIGMA, PLANAR, ground_covariance, on_ground

SAMPLES = 100_000


def some_covariance() -> np.ndarray:
    factor = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    sigmas = np.array([0.02, 0.05, 0.03, 0.02, 0.015, 0.01])
    mixed = np.diag(sigmas) @ (0.6 * factor + 0.8 * np.eye(6))
    return mixed @ mixed.T


def tilted(degrees: float) -> SE3:
    upright = SE3.from_rotation_vector([0, 0, 2.0], [3.0, -1.0, 0.4])
    return upright @ SE3.from_rotation_vector(
        [0.5 * np.radians(degrees), np.radians(degrees), 0], np.zeros(3)
    )


def sampled(map_from_base: SE3, covariance: np.ndarray) -> np.ndarray:
    """(3, 3) of x, y and yaw over poses drawn with that covariance."""
    mean = on_ground(map_from_base)
    drawn = np.random.default_rng(0).multivariate_normal(np.zeros(6), covariance, SAMPLES)
    rotations = [SE3.from_rotation_vector(step[3:], np.zeros(3)).rotation for step in drawn]
    forward = np.array(rotations) @ map_from_base.rotation[:, 0]
    turned = np.arctan2(forward[:, 1], forward[:, 0]) - mean.rotation_vector[2]
    return np.cov(np.column_stack([drawn[:, :2], (turned + np.pi) % (2 * np.pi) - np.pi]).T)


@pytest.mark.parametrize("degrees", [0.0, 8.0, 20.0])
def test_the_covariance_on_the_ground_is_that_of_poses_drawn_and_projected(degrees):
    map_from_base, covariance = tilted(degrees), some_covariance()
    claimed = ground_covariance(map_from_base, covariance)[np.ix_(PLANAR, PLANAR)]
    sigmas = np.sqrt(np.diag(claimed))
    np.testing.assert_allclose(
        sampled(map_from_base, covariance) / np.outer(sigmas, sigmas),
        claimed / np.outer(sigmas, sigmas),
        atol=0.02,
    )


def test_leaving_rows_out_is_not_enough_where_the_base_is_tilted():
    map_from_base, covariance = tilted(20.0), np.diag([0.02, 0.02, 0.02, 0.05, 0.04, 0.01]) ** 2
    drawn = sampled(map_from_base, covariance)[2, 2]
    assert abs(covariance[5, 5] / drawn - 1) > 0.1
    assert abs(ground_covariance(map_from_base, covariance)[5, 5] / drawn - 1) < 0.02


def test_the_rest_is_the_grounds_and_the_whole_has_an_inverse():
    covariance = ground_covariance(tilted(5.0), some_covariance())
    np.testing.assert_allclose(np.diag(covariance)[2:5], GROUND_SIGMA**2)
    np.testing.assert_array_equal(covariance[2:5][:, PLANAR], 0)
    assert np.linalg.eigvalsh(covariance)[0] > 0


def test_a_pose_on_the_ground_is_upright_at_its_height_and_keeps_where_it_heads():
    found = on_ground(tilted(8.0), 0.25)
    assert tilt_deg(found) < 1e-6
    np.testing.assert_allclose(found.translation, [3.0, -1.0, 0.25])
    np.testing.assert_allclose(
        np.cross([*tilted(8.0).rotation[:2, 0], 0], [*found.rotation[:2, 0], 0]), 0, atol=1e-12
    )
    again = on_ground(found, 0.25)
    np.testing.assert_allclose(again.matrix, found.matrix, atol=1e-12)
