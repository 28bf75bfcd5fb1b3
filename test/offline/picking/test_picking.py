import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reloc_ros.offline.picking.picking import pick

COORDINATES = st.floats(-10, 10, allow_nan=False)
CLOUDS = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=COORDINATES)
EYE = np.array([20.0, 3.0, -15.0])


def angle(direction, points) -> np.ndarray:
    offsets = points - EYE
    across = np.linalg.norm(np.cross(offsets, direction), axis=-1)
    return np.arctan2(across, offsets @ direction)


@settings(deadline=None)
@given(CLOUDS, st.data())
def test_a_click_on_a_point_means_it_or_one_before_it(points, data):
    aim = points[data.draw(st.integers(0, len(points) - 1))]
    hit = pick(EYE, aim - EYE, points, 0.01)
    assert hit is not None
    assert np.linalg.norm(points[hit] - EYE) <= np.linalg.norm(aim - EYE) + 1e-9


@settings(deadline=None)
@given(CLOUDS, hnp.arrays(np.float64, 3, elements=COORDINATES))
def test_no_point_beyond_the_tolerance_is_meant(points, aim):
    hit = pick(EYE, aim - EYE, points, 0.05)
    angles = angle((aim - EYE) / np.linalg.norm(aim - EYE), points)
    if hit is None:
        assert (angles > 0.05 - 1e-9).all()
    else:
        assert angles[hit] <= 0.05 + 1e-9


@settings(deadline=None)
@given(CLOUDS, hnp.arrays(np.float64, 3, elements=COORDINATES), st.floats(0.01, 100))
def test_the_unit_of_the_map_and_the_length_of_the_ray_do_not_matter(points, aim, scale):
    moved = pick(scale * EYE, 7 * (aim - EYE), scale * points, 0.1)
    same = pick(EYE, aim - EYE, points, 0.1)
    if moved != same:  # only where two are equally good
        assert moved is not None and same is not None
        a, b = points[moved] - EYE, points[same] - EYE
        np.testing.assert_allclose(np.linalg.norm(a), np.linalg.norm(b), rtol=1e-6)


@pytest.mark.parametrize(
    ("points", "meant"),
    [
        ([[0, 0, 5], [0.01, 0, 5]], 0),  # the nearer to the ray
        ([[0, 0, 9], [0.01, 0, 5]], 1),  # the one in front, though beside the ray
        ([[0, 0, 5.2], [0.045, 0, 5]], 0),  # hardly behind, and much nearer to the ray
        ([[0, 0, -5]], None),  # behind the eye
        ([], None),
    ],
)
def test_of_points_near_the_ray_the_one_in_front_is_meant(points, meant):
    assert pick([0, 0, 0], [0, 0, 1], np.array(points, dtype=float).reshape(-1, 3), 0.01) == meant
