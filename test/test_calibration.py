import dataclasses
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.calibration import UNCALIBRATED, Calibration, PoseScale
from reloc_ros.geometry import SE3
from reloc_ros.pnp import Correspondences, Refined

factors = st.floats(0.01, 100)
floors = st.floats(0, 10)
scales = st.builds(PoseScale, factors, factors, floors, floors)


def covariance(seed: int) -> np.ndarray:
    factor = np.random.default_rng(seed).normal(size=(6, 6))
    return factor @ factor.T


def test_no_calibration_leaves_a_covariance_as_it_is():
    for scale in (UNCALIBRATED.coarse, UNCALIBRATED.refined):
        np.testing.assert_array_equal(scale.apply(covariance(0), 3.0), covariance(0))
    assert UNCALIBRATED.sigma_scale == 1


@given(scale=scales, seed=st.integers(0, 100), distance=st.floats(0.1, 100))
def test_scaled_covariance_is_symmetric_positive_and_at_least_its_floor(scale, seed, distance):
    scaled = scale.apply(covariance(seed), distance)
    np.testing.assert_array_equal(scaled, scaled.T)
    assert np.linalg.eigvalsh(scaled).min() > -1e-9 * np.abs(scaled).max()
    floor = np.repeat([scale.position_floor * distance, np.radians(scale.rotation_floor_deg)], 3)
    assert (np.diag(scaled) >= floor**2).all()


def test_factors_multiply_standard_deviations_and_leave_correlations():
    before, after = covariance(1), PoseScale(2.0, 5.0).apply(covariance(1), 1.0)
    ratio = np.sqrt(np.diag(after) / np.diag(before))
    np.testing.assert_allclose(ratio, [2, 2, 2, 5, 5, 5])
    sigmas = [np.sqrt(np.diag(matrix)) for matrix in (before, after)]
    np.testing.assert_allclose(
        before / np.outer(sigmas[0], sigmas[0]), after / np.outer(sigmas[1], sigmas[1])
    )


def test_position_floor_is_a_share_of_the_distance_to_the_landmarks():
    points = np.array([[0, 0, 3.0], [0, 0, 4], [0, 0, 100]])
    matches = Correspondences(points, np.zeros((3, 2)), np.ones(3))
    refined = Refined(SE3.identity(), np.zeros((6, 6)), np.zeros(3))
    widened = PoseScale(position_floor=0.01, rotation_floor_deg=2.0).widen(refined, matches)
    np.testing.assert_allclose(np.sqrt(np.diag(widened.covariance)), [0.04] * 3 + [np.radians(2)] * 3)
    assert widened.camera_from_map is refined.camera_from_map


@given(sigma_scale=factors, coarse=scales, refined=scales)
def test_calibration_goes_to_json_and_back(sigma_scale, coarse, refined):
    measured = Calibration(sigma_scale, coarse, refined, made_from={"images": 8})
    text = json.dumps(measured.to_json(), allow_nan=False)
    assert Calibration.from_json(json.loads(text)) == measured
    assert dataclasses.asdict(measured) == json.loads(text)
