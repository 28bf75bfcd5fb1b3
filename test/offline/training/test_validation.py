import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import TINY_CAMERA, noise_image, random_landmarks

from reloc_ros.bundle import NetworkShape
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.inference.letterbox import Letterbox
from reloc_ros.offline.training import validation
from reloc_ros.offline.training.recipe import AUTO
from reloc_ros.offline.training.validation import (
    VALIDATION_CONDITIONS,
    PoseValidator,
    Truth,
    curve_values,
    mean_error,
    validation_images,
)

SHAPE = NetworkShape("efficientnet_lite0", landmarks=40, width=256, height=192)


def names(count: int) -> list[str]:
    return [f"{i:04d}.jpg" for i in range(count)]


@pytest.mark.parametrize(
    ("count", "chosen"), [(1, 0), (19, 0), (20, 4), (45, 4), (78, 8), (100, 10), (1000, 24)]
)
def test_auto_takes_a_tenth_spread_evenly_and_spares_small_sets(count, chosen):
    places = np.flatnonzero(validation_images(names(count)))
    assert len(places) == chosen
    if chosen:
        gaps = np.diff([-places[0] - 1, *places, 2 * count - places[-1] - 1])
        assert gaps.max() - gaps.min() <= 3


def test_auto_goes_by_name_and_not_by_the_order_given():
    ordered = names(40)
    shuffled = np.random.default_rng(0).permutation(ordered).tolist()
    chosen = {name for name, taken in zip(ordered, validation_images(ordered), strict=True) if taken}
    assert {
        name for name, taken in zip(shuffled, validation_images(shuffled), strict=True) if taken
    } == chosen


def test_hold_out_rules_choose_too():
    assert np.flatnonzero(validation_images(names(12), "every:5:1")).tolist() == [1, 6, 11]
    assert not validation_images(names(50), "none").any()
    with pytest.raises(RelocError, match="is not one of"):
        validation_images(names(50), "some")


@settings(max_examples=60)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.sampled_from([AUTO, "every:5:1", "last:2"]))
def test_copies_are_never_on_both_sides(groups, rule):
    """Near-identical photographs would tell of weights that know them by heart as of the best."""
    copy_of = np.array([groups.index(group) for group in groups])
    try:
        unseen = validation_images(names(len(groups)), rule, copy_of)
    except RelocError as error:
        assert "copies" in str(error) or "holds out all" in str(error)
        return
    assert not set(copy_of[unseen]) & set(copy_of[~unseen])
    if rule == AUTO:
        pictures = len(set(groups))
        assert len(set(copy_of[unseen])) == validation_images(names(pictures)).sum()
    else:
        assert unseen[validation_images(names(len(groups)), rule)].all()


def test_pairs_of_copies_are_chosen_as_one_and_where_none_are_left_it_is_said():
    copy_of = np.repeat(np.arange(0, 60, 2), 2)
    assert np.flatnonzero(validation_images(names(60), AUTO, copy_of)).reshape(-1, 2).tolist() == [
        [6, 7],
        [22, 23],
        [36, 37],
        [52, 53],
    ]
    with pytest.raises(RelocError, match=r"'every:2:0' with the copies of its images takes all 60"):
        validation_images(names(60), "every:2:0", copy_of)


@pytest.fixture(scope="module")
def truth() -> Truth:
    rng = np.random.default_rng(3)
    landmarks = random_landmarks(SHAPE.landmarks)
    poses = [
        SE3.from_rotation_vector(rng.normal(0, 0.1, 3), np.array([*rng.normal(0, 0.2, 2), 4.0]))
        for _ in range(5)
    ]
    return Truth(landmarks, [TINY_CAMERA] * 5, poses)


def perfect_keypoints(truth: Truth) -> np.ndarray:
    """What a perfect network finds in each picture: (N, K, 4), the same under every condition."""
    found = []
    for camera, pose in zip(truth.cameras, truth.camera_from_map, strict=True):
        pixels = camera.project(pose.apply(truth.landmarks.positions_map))
        letterbox = Letterbox(camera.width, camera.height, SHAPE.width, SHAPE.height)
        network_px = (pixels + 0.5) / letterbox.source_per_network - 0.5 + letterbox.offset
        inside = camera.contains(pixels)
        found.append(np.column_stack([network_px, np.where(inside, 0.9, 0.0), np.ones(len(pixels))]))
    return np.tile(np.array(found), (len(VALIDATION_CONDITIONS), 1, 1)).astype(np.float32)


def validate(truth: Truth, found: np.ndarray, monkeypatch):
    images = [noise_image(i, TINY_CAMERA.width, TINY_CAMERA.height) for i in range(len(truth.cameras))]
    validator = PoseValidator(SHAPE, images, truth)
    assert len(validator.pictures) == len(found)
    assert all(picture.shape == (SHAPE.height, SHAPE.width, 3) for picture in validator.pictures)
    monkeypatch.setattr(validation, "keypoints", lambda *_: found)
    return validator(torch.nn.Identity(), torch.zeros(0))


def test_true_keypoints_give_no_error(truth, monkeypatch):
    results = validate(truth, perfect_keypoints(truth), monkeypatch)
    assert list(results) == list(VALIDATION_CONDITIONS)
    for errors in results.values():
        assert errors.recall == 1
        assert errors.rotation_deg < 0.01 and errors.position_percent < 0.02 and errors.error < 0.01


def test_a_lost_image_is_a_miss_and_a_whole_error_but_no_error_sample(truth, monkeypatch):
    found = perfect_keypoints(truth)
    found[1, :, 2] = 0.0  # nothing found in the second picture, under the first condition
    results = validate(truth, found, monkeypatch)
    first, second = (results[name] for name in VALIDATION_CONDITIONS[:2])
    assert first.recall == 0.8 and second.recall == 1
    assert first.rotation_deg < 0.01
    assert first.error == pytest.approx(0.2, abs=0.01)
    assert mean_error(results) == pytest.approx(0.2 / len(results), abs=0.01)


def test_error_grows_with_the_error_of_the_keypoints(truth, monkeypatch):
    rng = np.random.default_rng(0)
    means = []
    for noise_px in (0.0, 0.5, 2.0):
        found = perfect_keypoints(truth)
        found[..., :2] += rng.normal(0, noise_px, found[..., :2].shape) if noise_px else 0
        means.append(mean_error(validate(truth, found, monkeypatch)))
    assert means[0] < means[1] < means[2] < 1


def test_nothing_found_anywhere_is_a_whole_error_and_no_number_for_the_medians(truth, monkeypatch):
    found = perfect_keypoints(truth)
    found[..., 2] = 0
    results = validate(truth, found, monkeypatch)
    assert mean_error(results) == 1
    assert all(errors.recall == 0 and np.isnan(errors.rotation_deg) for errors in results.values())
    assert set(curve_values(results)) >= {"validation_error", "recall_clean", "position_percent_noise"}
