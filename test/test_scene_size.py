import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.scene_size import extent, median_distance


def test_extent_is_not_moved_by_a_stray_point():
    points = np.array([[-1.0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, 1e6]])
    assert extent(points) == 1


def test_distance_is_the_median_over_the_images():
    model = make_model(images=13)
    points = np.zeros((3, 3))
    expected = np.median(np.linalg.norm(model.centers_map, axis=1))
    assert median_distance(model.centers_map, points) == pytest.approx(expected)


def test_distance_from_one_camera_is_the_median_over_the_points():
    assert median_distance(np.zeros(3), np.diag([1.0, 2.0, 9.0])) == 2
