import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.picture_cells import cells_of_pixels, cells_of_shares, ranks_in_groups


def test_cells_are_numbered_row_by_row_between_pixel_edges():
    pixels = np.array([[-0.5, -0.5], [0.49, 0.49], [1.51, 0.0], [0.0, 1.51], [3.49, 2.49]])
    assert cells_of_pixels(pixels, (4, 3), (2, 3)).tolist() == [0, 0, 1, 4, 5]


def test_pixels_beyond_the_border_are_in_the_cell_there():
    assert cells_of_pixels(np.array([[-9.0, 1e4], [1e4, -9.0]]), (640, 480), 4).tolist() == [12, 3]


def test_each_pixel_may_have_a_picture_size_of_its_own():
    pixels = np.full((2, 2), 99.5)
    assert cells_of_pixels(pixels, np.array([[100, 100], [1000, 1000]]), 10).tolist() == [99, 11]
    assert cells_of_shares(np.full((1, 2), 0.5), (1, 2)).tolist() == [1]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1000)), unique=True, max_size=40))
def test_ranks_are_the_place_in_the_sorted_group(rows):
    groups, costs = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    expected = [sorted(c for g, c in rows if g == group).index(cost) for group, cost in rows]
    assert ranks_in_groups(groups, costs).tolist() == expected
