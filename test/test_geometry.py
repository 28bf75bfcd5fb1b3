import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reloc_ros.geometry import SE3, center_error, pose_adjoint, rotation_error_deg


def vectors(limit: float) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, 3, elements=st.floats(-limit, limit))


ANGLES = st.one_of(st.floats(0, np.pi), st.floats(0, 1e-6), st.floats(np.pi - 1e-6, np.pi))


@st.composite
def transforms(draw) -> SE3:
    axis = draw(vectors(1).filter(lambda v: np.linalg.norm(v) > 0.1))
    return SE3.from_rotation_vector(axis / np.linalg.norm(axis) * draw(ANGLES), draw(vectors(100)))


def assert_same(a: SE3, b: SE3, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(a.matrix, b.matrix, atol=tolerance)


@given(transforms())
def test_rotation_is_orthonormal_and_right_handed(a_from_b):
    np.testing.assert_allclose(a_from_b.rotation @ a_from_b.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(a_from_b.rotation) == pytest.approx(1)


@given(transforms())
def test_identity_changes_nothing_on_either_side(a_from_b):
    assert_same(SE3.identity() @ a_from_b, a_from_b)
    assert_same(a_from_b @ SE3.identity(), a_from_b)


@given(transforms())
def test_inverse_undoes_on_either_side(a_from_b):
    assert_same(a_from_b @ a_from_b.inverse(), SE3.identity())
    assert_same(a_from_b.inverse() @ a_from_b, SE3.identity())


@given(transforms(), transforms(), transforms())
def test_composition_is_associative(a_from_b, b_from_c, c_from_d):
    assert_same((a_from_b @ b_from_c) @ c_from_d, a_from_b @ (b_from_c @ c_from_d))


@given(transforms(), transforms(), vectors(100))
def test_composition_applies_the_right_transform_first(a_from_b, b_from_c, point_c):
    together = (a_from_b @ b_from_c).apply(point_c[None])
    np.testing.assert_allclose(together, a_from_b.apply(b_from_c.apply(point_c[None])), atol=1e-9)


@given(transforms())
def test_quaternion_goes_there_and_back(a_from_b):
    quaternion = a_from_b.quaternion_wxyz
    assert np.linalg.norm(quaternion) == pytest.approx(1) and quaternion[0] >= 0
    assert_same(SE3.from_quaternion_wxyz(quaternion, a_from_b.translation), a_from_b)


@given(transforms(), st.floats(1e-3, 1e3), st.sampled_from([-1, 1]))
def test_scaled_or_negated_quaternion_is_the_same_rotation(a_from_b, scale, sign):
    scaled = sign * scale * a_from_b.quaternion_wxyz
    assert_same(SE3.from_quaternion_wxyz(scaled, a_from_b.translation), a_from_b)


@given(transforms())
def test_rotation_vector_goes_there_and_back(a_from_b):
    rotation_vector = a_from_b.rotation_vector
    assert np.linalg.norm(rotation_vector) <= np.pi + 1e-9
    assert_same(SE3.from_rotation_vector(rotation_vector, a_from_b.translation), a_from_b)


@pytest.mark.parametrize("angle_rad", [0, 1e-12, 1e-8, 1e-6, 1e-5, 1e-3])
def test_rotation_vector_keeps_its_digits_near_identity(angle_rad):
    given_vector = angle_rad * np.array([1, -2, 2]) / 3
    found = SE3.from_rotation_vector(given_vector, np.zeros(3)).rotation_vector
    np.testing.assert_allclose(found, given_vector, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("axis", range(3))
def test_quaternion_turns_counter_clockwise_about_its_axis(axis):
    quaternion = np.zeros(4)
    quaternion[[0, 1 + axis]] = np.sqrt(0.5)
    turned = SE3.from_quaternion_wxyz(quaternion, np.zeros(3)).apply(np.eye(3))
    np.testing.assert_allclose(turned[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3], atol=1e-12)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_a_quaternion_whose_square_no_number_holds_is_a_rotation_all_the_same(scale):
    expected = SE3.from_quaternion_wxyz([1.0, 2.0, -3.0, 0.5], np.zeros(3))
    found = SE3.from_quaternion_wxyz(scale * np.array([1.0, 2.0, -3.0, 0.5]), np.zeros(3))
    np.testing.assert_allclose(found.rotation, expected.rotation, atol=1e-9)


def test_quaternion_of_norm_zero_is_refused():
    with pytest.raises(ValueError, match="norm"):
        SE3.from_quaternion_wxyz([0, 0, 0, 0], [0, 0, 0])


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e13, -1e300])
def test_what_is_farther_than_anything_is_no_pose(number):
    with pytest.raises(ValueError, match="a translation needs finite numbers below 1e"):
        SE3.from_quaternion_wxyz([1, 0, 0, 0], [0, number, 0])


@given(transforms())
def test_center_is_where_the_origin_of_a_lies_in_b(a_from_b):
    np.testing.assert_allclose(a_from_b.apply(a_from_b.center[None]), np.zeros((1, 3)), atol=1e-9)


@given(transforms())
def test_matrix_goes_there_and_back_and_shares_no_memory(a_from_b):
    matrix = a_from_b.matrix
    copy = SE3.from_matrix(matrix)
    matrix[:] = 0
    assert_same(copy, a_from_b, 0)


@given(transforms(), st.one_of(st.floats(1e-9, 3.1), st.floats(1e-9, 1e-6)), vectors(1))
def test_rotation_error_is_the_angle_between_two_rotations(a_from_b, angle_rad, axis):
    norm = np.linalg.norm(axis)
    if norm < 0.1:
        return
    turned = SE3.from_rotation_vector(angle_rad * axis / norm, np.zeros(3)) @ a_from_b
    assert rotation_error_deg(turned, a_from_b) == pytest.approx(np.degrees(angle_rad), rel=1e-5, abs=1e-12)


def test_a_half_turn_is_180_deg_whatever_its_rounding():
    vectors = np.random.default_rng(0).normal(size=(300, 2, 3))
    for axis, start in vectors:
        one = SE3.from_rotation_vector(start, np.zeros(3))
        other = SE3.from_rotation_vector(np.pi * axis / np.linalg.norm(axis), np.zeros(3)) @ one
        assert rotation_error_deg(other, one) == pytest.approx(180, abs=1e-4)


@given(transforms(), vectors(10))
def test_center_error_is_the_distance_between_the_cameras(camera_from_map, step_map):
    moved = SE3(camera_from_map.rotation, -camera_from_map.rotation @ (camera_from_map.center + step_map))
    assert center_error(moved, camera_from_map) == pytest.approx(np.linalg.norm(step_map), abs=1e-9)


@given(transforms(), vectors(1), vectors(1))
def test_adjoint_moves_a_small_twist_to_the_other_frame(a_from_b, velocity, turn):
    def exponential(twist: np.ndarray) -> np.ndarray:
        return np.eye(4) + np.block(
            [[_skew(twist[3:]), twist[:3, None]], [np.zeros((1, 4))]]
        )  # first order is all the adjoint means

    twist_b = np.concatenate([velocity, turn])
    moved = a_from_b.matrix @ exponential(twist_b) @ a_from_b.inverse().matrix
    np.testing.assert_allclose(exponential(pose_adjoint(a_from_b) @ twist_b), moved, atol=1e-9)


def _skew(v: np.ndarray) -> np.ndarray:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
