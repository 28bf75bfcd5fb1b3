import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.pose.packed_covariances import packed, unpacked


@given(st.integers(0, 1000), st.floats(-9, 9))
def test_covariances_of_any_size_are_the_same_again_to_a_thousandth(seed, exponent):
    roots = 10**exponent * np.random.default_rng(seed).normal(size=(20, 3, 3))
    covariances = roots @ roots.transpose(0, 2, 1)
    again = unpacked(packed(covariances), 20)
    largest = np.linalg.eigvalsh(covariances)[:, 2]
    assert (np.abs(again - covariances).max(axis=(1, 2)) < 4e-3 * largest).all()


def test_points_that_are_exact_and_points_that_may_be_anywhere_are_kept_finite():
    covariances = np.stack([np.zeros((3, 3)), np.eye(3), 1e40 * np.eye(3)])
    again = unpacked(packed(covariances), 3)
    np.testing.assert_array_equal(again[:2], covariances[:2])
    assert np.isfinite(again).all() and again[2, 0, 0] > 1e9
    np.testing.assert_array_equal(unpacked(packed(covariances[:1]), 1), covariances[:1])


def test_an_older_file_tells_of_no_covariance():
    np.testing.assert_array_equal(unpacked({}, 2), np.zeros((2, 3, 3)))


@pytest.mark.parametrize(
    "change",
    [
        {"covariance_roots": np.zeros((3, 6))},
        {"covariance_roots": np.full((2, 6), np.nan)},
        {"covariance_roots": np.zeros((2, 6), complex)},
        {"root_unit": np.array(1e300)},
        {"root_unit": np.array(1e300), "covariance_roots": np.full((2, 6), 1e300)},
        {"root_unit": np.array(np.inf)},
        {"root_unit": np.zeros(2)},
    ],
)
def test_what_is_no_covariance_of_the_points_is_refused(change):
    with pytest.raises((ValueError, TypeError)):
        unpacked(packed(np.tile(np.eye(3), (2, 1, 1))) | change, 2)
