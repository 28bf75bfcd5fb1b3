import numpy as np

from reloc_ros.annotate import GREEN, RED, YELLOW, annotated
from reloc_ros.geometry import SE3
from reloc_ros.localizer import Keypoints, Localized, Lost
from reloc_ros.pose.acceptance import LostReason

PLACES = np.array([[40.0, 60.0], [100.0, 60.0], [150.0, 90.0]])
KEYPOINTS = Keypoints(np.arange(3), PLACES, np.full(3, 0.9), np.full(3, 4.0))
INLIERS = np.array([True, False, True])


def colors_at_the_keypoints(result, image):
    picture = annotated(image, result, "")
    return [tuple(int(v) for v in picture[int(y), int(x)]) for x, y in PLACES]


def test_colors_tell_who_agrees_with_the_pose():
    image = np.zeros((120, 200, 3), np.uint8)
    localized = Localized(SE3.identity(), np.eye(6), KEYPOINTS, INLIERS, 1.0, {})
    assert colors_at_the_keypoints(localized, image) == [GREEN, RED, GREEN]
    lost = Lost(LostReason.NO_CONSENSUS, "", KEYPOINTS, INLIERS, {})
    assert colors_at_the_keypoints(lost, image) == [YELLOW] * 3


def test_the_image_itself_stays_as_it_was_and_grey_becomes_color():
    image = np.full((120, 200), 70, np.uint8)
    picture = annotated(image, None, "lost bad_image 3 ms")
    assert picture.shape == (120, 200, 3)
    assert (image == 70).all()
    assert (picture != 70).any()
    assert (annotated(image, None, "") == 70).all()
