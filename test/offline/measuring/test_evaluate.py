import json

import cv2
import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.localizer import NO_KEYPOINTS, Localized, Lost, LostReason
from reloc_ros.offline.measuring.evaluate import (
    CHI_SQUARE_95,
    Outcome,
    Score,
    evaluate,
    held_out_queries,
    normalised_error_squared,
)


def localized(
    rotation_deg: float, percent: float, position: float = 0.01, nees: float = 6.0, total_ms: float = 10
) -> Outcome:
    return Outcome("a.jpg", None, rotation_deg, position, percent, nees, {"total": total_ms})


LOST = Outcome("b.jpg", "no_keypoints", None, None, None, None, {"prepare": 1.0, "total": 1.0})


def score(*outcomes: Outcome, metric: bool = False) -> Score:
    return Score("reloc", "clean", outcomes, metric)


def test_a_lost_image_is_a_miss_for_recall_but_no_error_sample():
    found = score(localized(1, 1), localized(2, 3), localized(30, 40), LOST, LOST)
    assert found.recall == 0.4 and found.lost == 2
    assert found.median("rotation_deg") == 2 and found.median("position_percent") == 3
    assert found.stage_ms(50) == {"total": 10}


def test_recall_needs_both_the_rotation_and_the_position():
    found = score(localized(4.9, 4.9), localized(5.1, 1), localized(1, 5.1), localized(0, 0))
    assert found.recall == 0.5


def test_recall_is_in_metres_where_the_map_is():
    near, far = localized(1, 50, position=0.049), localized(1, 0.1, position=0.051)
    assert score(near, far, metric=True).recall == 0.5
    assert score(near, metric=True).recall == 1 and score(far, metric=True).recall == 0
    assert score(near).recall == 0 and score(far).recall == 1


def test_nees_of_errors_drawn_from_the_covariance_is_six_on_average_and_in_the_region_19_times_of_20():
    rng = np.random.default_rng(2)
    sizes = np.array([1, 1, 1, 1e-4, 1e-4, 1e-4])  # metres, and small turns
    factor = sizes[:, None] * rng.normal(size=(6, 6))
    covariance = factor @ factor.T
    true = SE3.from_rotation_vector([0.3, -2.0, 0.5], [4.0, 5.0, 6.0]).inverse()
    values = []
    for _ in range(4000):
        error = factor @ rng.normal(size=6)
        turned = SE3.from_rotation_vector(error[3:], [0, 0, 0]).rotation @ true.rotation.T
        found = SE3(turned, true.center + error[:3]).inverse()
        values.append(normalised_error_squared(found, covariance, true))
    assert np.mean(values) == pytest.approx(6, abs=0.2)
    assert np.mean(np.array(values) <= CHI_SQUARE_95) == pytest.approx(0.95, abs=0.01)


def test_nees_is_counted_over_the_localized_images():
    found = score(localized(1, 1, nees=3), localized(1, 1, nees=5), localized(1, 1, nees=13), LOST)
    assert found.nees_mean == 7 and found.median("nees") == 5 and found.nees_within_95 == 2 / 3
    read = found.to_json()
    assert (read["nees_mean"], read["nees_median"], read["nees_within_95"]) == (7, 5, 2 / 3)


def test_all_lost_has_no_median_and_the_times_of_the_lost():
    found = score(LOST)
    assert found.recall == 0 and np.isnan(found.median("rotation_deg"))
    assert found.stage_ms(50) == {"prepare": 1.0, "total": 1.0}


@pytest.fixture
def scene(tmp_path):
    """A model whose images are all of one grey, and its held-out images."""
    model = make_model(images=12, camera="pinhole")
    for name in model.names:
        cv2.imwrite(str(tmp_path / name), np.full((480, 640, 3), 100, dtype=np.uint8))
    held_out = np.arange(12) % 4 == 1
    return model, held_out, tmp_path


def by_camera_order(poses: list[SE3 | None]):
    """A method that answers with these poses in turn."""
    answers = iter(poses)

    def localize(image: np.ndarray, camera):
        pose = next(answers)
        none = np.zeros(0, dtype=bool)
        if pose is None:
            return Lost(LostReason.NO_KEYPOINTS, "none", NO_KEYPOINTS, none, {"total": 1.0})
        return Localized(pose, np.eye(6), NO_KEYPOINTS, none, 0.0, {"total": 2.0})

    return localize


def test_queries_are_the_held_out_images_with_their_true_poses(scene):
    model, held_out, _ = scene
    queries = held_out_queries(model, held_out)
    assert [query.name for query in queries] == [model.names[i] for i in (1, 5, 9)]
    assert queries[1].camera_from_map is model.camera_from_map[5]


def test_nothing_held_out_is_refused_and_the_option_named(scene):
    with pytest.raises(RelocError, match="--holdout"):
        held_out_queries(scene[0], np.zeros(12, dtype=bool))


def test_errors_are_those_between_the_found_and_the_true_pose(scene):
    model, held_out, folder = scene
    queries = held_out_queries(model, held_out)
    true = [query.camera_from_map for query in queries]
    shifted = SE3(true[1].rotation, true[1].translation + np.array([0.3, 0, 0.4]))
    turned = SE3.from_rotation_vector([0, np.radians(7), 0], [0, 0, 0]) @ true[2]
    methods = {"reloc": by_camera_order([true[0], shifted, turned])}
    (found,) = evaluate(methods, queries, folder, distance=20.0, metric=False)
    assert [outcome.name for outcome in found.outcomes] == [query.name for query in queries]
    assert found.outcomes[0].rotation_deg == pytest.approx(0, abs=1e-6)
    assert found.outcomes[1].position == pytest.approx(0.5)
    assert found.outcomes[1].position_percent == pytest.approx(2.5)
    assert found.outcomes[1].nees == pytest.approx(0.25)  # the method says a variance of 1
    assert found.outcomes[2].rotation_deg == pytest.approx(7)
    assert found.outcomes[2].position == pytest.approx(0, abs=1e-9)
    assert found.recall == pytest.approx(2 / 3)


def test_every_method_sees_every_image_under_every_condition(scene):
    model, held_out, folder = scene
    queries = held_out_queries(model, held_out)
    seen: dict[str, list[float]] = {"a": [], "b": []}

    def method(name: str):
        def localize(image, camera):
            seen[name].append(float(image.mean()))
            return by_camera_order([None])(image, camera)

        return localize

    methods = {name: method(name) for name in seen}
    scores = evaluate(methods, queries, folder, 1.0, False, ["clean", "dark"])
    assert [(s.condition, s.method) for s in scores] == [
        ("clean", "a"),
        ("clean", "b"),
        ("dark", "a"),
        ("dark", "b"),
    ]
    assert all(len(s.outcomes) == 3 and s.lost == 3 for s in scores)
    assert seen["a"] == seen["b"] == [100, 30] * 3


def test_unknown_condition_is_refused_before_any_work(scene):
    model, held_out, _ = scene
    with pytest.raises(RelocError, match="unknown condition 'fog'; use all or some of clean, dark"):
        evaluate({}, held_out_queries(model, held_out), scene[2] / "nowhere", 1.0, False, ["clean", "fog"])


def test_missing_image_is_refused_by_name(scene):
    model, held_out, folder = scene
    queries = held_out_queries(model, held_out)
    (folder / queries[0].name).unlink()
    with pytest.raises(RelocError, match=queries[0].name):
        evaluate({"reloc": by_camera_order([None] * 3)}, queries, folder, 1.0, False)


def test_scores_are_strict_json():
    text = json.dumps(score(localized(1, 2), LOST).to_json(), allow_nan=False)
    read = json.loads(text)
    assert read["images"] == 2 and read["lost"] == 1 and read["recall"] == 0.5
    assert read["recall_within"] == "5 %, 5 deg"


def test_scores_of_nothing_but_lost_images_are_strict_json():
    read = json.loads(json.dumps(score(LOST).to_json(), allow_nan=False))
    assert read["median_rotation_deg"] is None and read["recall"] == 0
    assert read["nees_mean"] is None and read["nees_within_95"] is None
