import numpy as np
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.offline.model.rectify import rectified

PINHOLE = Camera("pinhole", 320, 240, 260.0, 262.0, 158.0, 121.0)
BROWN = Camera("brown", 320, 240, 260.0, 262.0, 158.0, 121.0, (-0.2, 0.06, 1e-3, -1e-3, 0.0, 0.0, 0.0, 0.0))
FISHEYE = Camera("fisheye", 320, 240, 150.0, 150.0, 159.5, 119.5, (0.02, -0.01, 0.0, 0.0))


def test_a_photograph_without_distortion_stays_as_it_is():
    photo = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    found = rectified(photo, PINHOLE)
    assert np.abs(found.picture.astype(int) - photo).max() <= 1
    np.testing.assert_allclose(found.low, [-158.5 / 260, -121.5 / 262])
    np.testing.assert_allclose(found.high, [161.5 / 260, 118.5 / 262])


@pytest.mark.parametrize("camera", [PINHOLE, BROWN, FISHEYE], ids=lambda camera: camera.model)
def test_what_lies_on_a_ray_is_shown_where_a_pinhole_would(camera):
    # A photograph whose colours say which pixel each is.
    x, y = np.meshgrid(np.arange(320), np.arange(240))
    photo = np.stack([x // 2, y, np.full_like(x, 255)], axis=-1).astype(np.uint8)
    found = rectified(photo, camera)
    height, width = found.picture.shape[:2]
    for ray in [(0.0, 0.0), (0.4, 0.1), (-0.5, -0.35), (0.3, -0.4)]:
        column, row = (np.array(ray) - found.low) / (found.high - found.low) * (width, height) - 0.5
        shown = found.picture[round(row), round(column)]
        expected = camera.project(np.array([[*ray, 1.0]]))[0]
        assert shown[2] == 255
        assert abs(2 * int(shown[0]) - expected[0]) < 3 and abs(int(shown[1]) - expected[1]) < 2


@pytest.mark.parametrize("camera", [PINHOLE, BROWN], ids=lambda camera: camera.model)
def test_nothing_of_the_photograph_is_left_out(camera):
    found = rectified(np.zeros((240, 320, 3), np.uint8), camera)
    corners = camera.unproject(np.array([[0, 0], [319, 0], [0, 239], [319, 239]]))
    assert (corners > found.low).all() and (corners < found.high).all()
