import json

import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.offline.running.detections import read_detections

ROWS = [[10.0, 20.0, 0.9], [0.5, 7.25, 0.0], [3, 4, 1]]
IMAGES = ("a/one.png", "a/two.jpg", "b/two.jpg")


@pytest.fixture
def written(tmp_path):
    def write(content: object) -> object:
        path = tmp_path / "found.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_rows_become_keypoints_of_the_landmarks_in_order(written):
    detections = read_detections(written({"a/one.png": ROWS}), 3, IMAGES, sigma_px=1.5)
    keypoints = detections.keypoints("a/one.png")
    assert keypoints.landmarks.tolist() == [0, 1, 2]
    assert keypoints.positions_px.tolist() == [[10, 20], [0.5, 7.25], [3, 4]]
    assert keypoints.scores.tolist() == [0.9, 0, 1]
    assert keypoints.sigmas_px.tolist() == [1.5] * 3
    assert detections.keypoints("a/two.jpg") is None


@pytest.mark.parametrize("name", ["a/one.png", "one.png", "one", "elsewhere/one.jpeg"])
def test_images_are_found_without_folder_and_suffix(written, name):
    assert read_detections(written({name: ROWS}), 3, IMAGES).keypoints("a/one.png") is not None


def test_without_known_images_names_are_taken_as_they_are(written):
    assert read_detections(written({"x": ROWS}), 3, None).keypoints("x") is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"one.png": ROWS[:2]}, "2 rows for 'one.png', but the bundle has 3 landmarks"),
        ({"one.png": 5}, "no rows for 'one.png'"),
        (
            {"three.png": ROWS},
            "an image 'three.png', which is not among the 3 from 'a/one.png' to 'b/two.jpg'",
        ),
        ({"two.jpg": ROWS}, "an image 'two.jpg'"),  # of two folders
        ({"one.png": ROWS, "a/one.png": ROWS}, "one image more than once"),
        ({"one.png": [*ROWS[:2], [1, 2]]}, "not [x, y, confidence]"),
        ({"one.png": [*ROWS[:2], [1, 2, "x"]]}, "not [x, y, confidence]"),
        ('{"one.png": [[NaN, 1, 1], [1, 1, 1], [1, 1, 1]]}', "[nan, 1, 1] in row 0"),
        (
            '{"one.png": [[1, 1, 1], [Infinity, 1, 1], [1, 1, 1]]}',
            "as JSON (its number Infinity is too large)",
        ),
        ({"one.png": [*ROWS[:2], [10**400, 2, 0.5]]}, "00000 is too large)"),
        ({"one.png": [*ROWS[:2], [1, 2, 1.01]]}, "the confidence from 0 to 1"),
        ({"one.png": [*ROWS[:2], [1, 2, -0.1]]}, "the confidence from 0 to 1"),
        ("{", "as JSON"),
        ("[" * 5000 + "]" * 5000, "as JSON"),
        ([], '{"image.png"'),
        ({}, '{"image.png"'),
    ],
)
def test_what_is_wrong_is_named(written, content, words):
    with pytest.raises(RelocError) as error:
        read_detections(written(content), 3, IMAGES)
    assert words in str(error.value) and "found.json" in str(error.value)


@pytest.mark.parametrize("sigma_px", [0, -1, np.nan, np.inf])
def test_sigmas_that_are_none_are_refused(written, sigma_px):
    with pytest.raises(RelocError, match="sigma must be above 0 pixels"):
        read_detections(written({"one.png": ROWS}), 3, IMAGES, sigma_px)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RelocError, match="cannot read detections"):
        read_detections(tmp_path / "none.json", 3, IMAGES)
