import cv2
import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.picking.web_panel import SHOWN, SIZE, portraits

MODEL = make_model(images=14, points=50, camera="pinhole")
POINT = 11


@pytest.fixture
def images(tmp_path):
    """Black, with a red disc where the point is."""
    for name, pixel in zip(MODEL.names, pixels(), strict=True):
        photo = np.zeros((480, 640, 3), np.uint8)
        cv2.circle(photo, np.round(pixel).astype(int).tolist(), 14, (0, 0, 255), -1)
        cv2.imwrite(str(tmp_path / name), photo)
    return tmp_path


def pixels() -> np.ndarray:
    point = MODEL.points_map[POINT : POINT + 1]
    return np.concatenate(
        [MODEL.camera(i).project(pose.apply(point)) for i, pose in enumerate(MODEL.camera_from_map)]
    )


def labels(states) -> Labels:
    return Labels(MODEL.names, pixels()[:, None].astype(np.float32), np.array(states, np.int8)[:, None])


def test_the_point_is_in_the_middle_of_every_portrait(images):
    made = portraits(MODEL, labels([Visibility.SEEN] * 8 + [Visibility.UNKNOWN] * 6), images)
    assert len(made) == 8 + SHOWN[Visibility.UNKNOWN]
    for portrait in made:
        assert portrait.picture.shape == (SIZE, SIZE, 3)
        rows, columns = np.nonzero(portrait.picture[:, :, 2].astype(int) - portrait.picture[:, :, 0] > 128)
        assert abs(rows.mean() - (SIZE - 1) / 2) < 3 and abs(columns.mean() - (SIZE - 1) / 2) < 3


def test_those_that_see_it_come_first_and_not_all_from_one_place(images):
    states = [Visibility.HIDDEN] * 2 + [Visibility.SEEN] * 12
    made = portraits(MODEL, labels(states), images)
    assert [portrait.state for portrait in made] == [Visibility.SEEN] * 8 + [Visibility.HIDDEN] * 2
    shown = [portrait.image for portrait in made[:8]]
    assert shown[0] == 2 and shown[-1] == 13 and len(set(shown)) == 8


def test_images_that_it_is_outside_of_have_no_portrait(images):
    outside = labels([Visibility.HIDDEN] * 14)
    outside.keypoints_px[:] = (-5, 20)
    outside.keypoints_px[3] = np.nan
    assert portraits(MODEL, outside, images) == []


def test_a_photograph_that_is_gone_is_named(images):
    (images / MODEL.names[0]).unlink()
    with pytest.raises(RelocError, match=r"cannot read image .*no such file"):
        portraits(MODEL, labels([Visibility.SEEN] * 14), images)
