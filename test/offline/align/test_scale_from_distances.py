import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.offline.align.scale_from_distances import (
    distance_of_picks,
    distance_of_points,
    scale_of_distances,
)
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity

HERE = Similarity.identity()
SCALE = 0.37


@pytest.fixture(scope="module")
def model() -> SfmModel:
    return make_model(images=20, noise_px=0.3)


def line(model: SfmModel, a: int, b: int, factor: float = 1.0) -> str:
    metres = SCALE * factor * np.linalg.norm(model.points_map[a] - model.points_map[b])
    return f"{model.point_ids[a]} {model.point_ids[b]} {metres}"


def picks(model: SfmModel, point: int, images, moved_px: float = 0.0) -> str:
    words = []
    for image in images:
        x, y = model.camera(image).project(model.camera_from_map[image].apply(model.points_map[point][None]))[
            0
        ]
        words.append(f"{model.names[image]}:{x + moved_px:.3f},{y:.3f}")
        moved_px = 0.0
    return " ".join(words)


def test_a_distance_between_two_ids_gives_the_scale(model):
    found = scale_of_distances([distance_of_points(line(model, 3, 90), model, HERE)])
    assert found.scale == pytest.approx(SCALE) and 0 < found.standard_error < 0.02 * SCALE
    assert "second one" in found.notes[0]


def test_a_place_in_the_present_map_frame_is_as_good_as_an_id(model):
    now = Similarity(2.0, np.diag([1.0, -1, -1]), np.array([5.0, 6, 7]))
    a, b = (",".join(map(repr, now.apply(model.points_map[k]).tolist())) for k in (3, 90))
    by_place = distance_of_points(f"{a} {b} 1.5", model, now)
    by_id = distance_of_points(f"{model.point_ids[3]} {model.point_ids[90]} 1.5", model, now)
    assert by_place.units == by_id.units


def test_picks_in_two_images_or_more_give_the_scale(model):
    units = np.linalg.norm(model.points_map[3] - model.points_map[90])
    text = f"{picks(model, 3, [0, 8])} ; {picks(model, 90, [1, 7, 15])} = {SCALE * units}"
    assert scale_of_distances([distance_of_picks(text, model)]).scale == pytest.approx(SCALE, rel=1e-3)


def test_one_wrong_distance_of_five_is_left_out_and_named(model):
    texts = [line(model, k, k + 90) for k in range(4)] + [line(model, 50, 60, factor=1.3)]
    found = scale_of_distances([distance_of_points(text, model, HERE) for text in texts])
    assert found.scale == pytest.approx(SCALE) and (found.used, found.of) == (4, 5)
    assert texts[4] in found.notes[0]


@pytest.mark.parametrize("good", [1, 2])
def test_distances_that_contradict_each_other_are_refused_with_what_each_says(model, good):
    texts = [line(model, k, k + 90) for k in range(good)] + [line(model, 50, 60, factor=1.3)]
    with pytest.raises(RelocError, match=r"contradict each other.*0\.37.*0\.481") as refused:
        scale_of_distances([distance_of_points(text, model, HERE) for text in texts])
    assert all(text in str(refused.value) for text in texts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5 8", "is not 'A B METRES'"),
        ("5 8 0", "above zero, not '0'"),
        ("5 8 -2", "above zero, not '-2'"),
        ("5 8 nan", "above zero"),
        ("5 8 wide", "above zero, not 'wide'"),
        ("5 5 1", "between a point and itself"),
        (f"{'9' * 5000} 5 1", "is neither the id of a point"),
        ("5 6 1", "no point 6"),
        ("5 a,b,c 1", "'a,b,c' is neither"),
        ("5 1,2 1", "'1,2' is neither"),
        ("5 9,9,9 1", "nearest point of the cloud is"),
    ],
)
def test_a_bad_distance_is_one_sentence(model, text, words):
    with pytest.raises(RelocError, match=words) as refused:
        distance_of_points(text, model, HERE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{a} ; {b}", "is not 'IMAGE:x,y"),
        ("{a} = 1", "is not 'IMAGE:x,y"),
        ("{a} ; {b} = 0", "above zero, not '0'"),
        ("{a} ; nothing = 1", "'nothing' is not a list of IMAGE:x,y"),
        ("{a} ; {b} left = 1", "is not a list of IMAGE:x,y"),
        ("{a} ; other.jpg:1,2 image_003.jpg:3,4 = 1", "no image 'other.jpg'"),
        ("{a} ; {one} = 1", "second place must be picked in two images"),
        ("{a} ; {one} {one} = 1", "second place must be picked in two images"),
        ("{a} ; image_000.jpg:-9,5 {one} = 1", "is outside of 'image_000.jpg', 640x480"),
        ("{a} ; {bent} = 1", r"second place do not meet, 'image_\d+.jpg' is off by"),
        ("{a} ; {near} = 1", "directions only .* deg apart"),
        ("{a} ; {a} = 1", "two places are the same"),
    ],
)
def test_a_bad_measure_is_one_sentence(model, text, words):
    close = make_model(images=400)  # neighbours a third of a degree apart
    places = {
        "a": picks(model, 3, [0, 8]),
        "b": picks(model, 90, [1, 7, 15]),
        "one": picks(model, 90, [1]),
        "bent": picks(model, 90, [1, 7, 15], moved_px=40),
        "near": picks(close, 90, [10, 11]),
    }
    asked = close if "{near}" in text else model
    if asked is close:
        places["a"] = picks(close, 3, [0, 200])
    with pytest.raises(RelocError, match=words) as refused:
        distance_of_picks(text.format(**places), asked)
    assert "\n" not in str(refused.value)


def test_names_with_spaces_and_colons_can_be_picked(model):
    import dataclasses

    names = ("my photo: 1.jpg", *model.names[1:])
    renamed = dataclasses.replace(model, names=names)
    text = f"{picks(renamed, 3, [0, 8])} ; {picks(renamed, 90, [0, 7])} = 1"
    assert distance_of_picks(text, renamed).units > 0
