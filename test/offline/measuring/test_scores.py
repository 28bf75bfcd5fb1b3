import json

import numpy as np
import pytest
import report_workspace as made

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.measuring.scores import (
    CHI_SQUARE_95,
    Outcome,
    Score,
    normalised_error_squared,
    read_evaluation,
    write_evaluation,
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


def test_scores_are_strict_json():
    text = json.dumps(score(localized(1, 2), LOST).to_json(), allow_nan=False)
    read = json.loads(text)
    assert read["images"] == 2 and read["lost"] == 1 and read["recall"] == 0.5
    assert read["recall_within"] == "5 %, 5 deg"


def test_scores_of_nothing_but_lost_images_are_strict_json():
    read = json.loads(json.dumps(score(LOST).to_json(), allow_nan=False))
    assert read["median_rotation_deg"] is None and read["recall"] == 0
    assert read["nees_mean"] is None and read["nees_within_95"] is None


@pytest.fixture
def scores(tmp_path):
    workspace = made.make_workspace(tmp_path)
    made.advance(workspace, "trained")
    return made.evaluate(workspace)


def test_what_was_measured_is_read_back(scores, tmp_path):
    write_evaluation(tmp_path / "e.json", scores)
    read = read_evaluation(tmp_path / "e.json")
    assert read == scores  # all but poses and keypoints, which do not compare
    for ours, theirs in zip(scores[0].outcomes, read[0].outcomes, strict=True):
        np.testing.assert_allclose(theirs.camera_from_map.matrix, ours.camera_from_map.matrix, atol=1e-12)
        np.testing.assert_array_equal(theirs.keypoints.landmarks, ours.keypoints.landmarks)
        np.testing.assert_allclose(theirs.keypoints.positions_px, ours.keypoints.positions_px, atol=0.005)
        np.testing.assert_allclose(theirs.keypoints.sigmas_px, ours.keypoints.sigmas_px, atol=0.005)
        np.testing.assert_array_equal(theirs.inliers, ours.inliers)


def test_the_lost_have_neither_pose_nor_errors(scores, tmp_path):
    write_evaluation(tmp_path / "e.json", scores)
    lost = [o for score in read_evaluation(tmp_path / "e.json") for o in score.outcomes if o.reason]
    assert [o.reason for o in lost] == ["no_consensus"]
    assert lost[0].camera_from_map is None and lost[0].nees is None


def test_only_the_network_s_keypoints_are_kept(scores, tmp_path):
    """The baseline's are thousands, and of points that are no landmarks."""
    write_evaluation(tmp_path / "e.json", scores)
    entries = json.loads((tmp_path / "e.json").read_text())["scores"]
    assert ["keypoints" in entry["outcomes"][0] for entry in entries] == [True, False] * 2


def _without(key):
    return lambda facts: facts["scores"][0]["outcomes"][0].pop(key)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: facts.update(kind="else"), "damaged"),
        (lambda facts: facts.update(format=2), "has format 2, this version reads 1"),
        (lambda facts: facts.pop("metric"), "damaged"),
        (lambda facts: facts["scores"][0].update(outcomes=[]), "damaged"),
        (_without("nees"), "damaged"),
        (_without("camera_from_map"), "damaged"),
        (lambda facts: facts["scores"][0]["outcomes"][0].update(rotation_deg=None), "damaged"),
        (lambda facts: facts["scores"][0]["outcomes"][0]["keypoints"]["scores"].pop(), "damaged"),
        (lambda facts: facts["scores"][0]["outcomes"][0].update(keypoints=[1]), "damaged"),
        (lambda facts: facts.update(scores=[]), "damaged"),
    ],
)
def test_a_file_that_was_changed_is_refused(scores, tmp_path, change, words):
    write_evaluation(tmp_path / "e.json", scores)
    facts = json.loads((tmp_path / "e.json").read_text())
    change(facts)
    (tmp_path / "e.json").write_text(json.dumps(facts))
    with pytest.raises(RelocError, match=f"{words}.*run `reloc eval` again"):
        read_evaluation(tmp_path / "e.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RelocError, match="does not exist; run `reloc eval` again"):
        read_evaluation(tmp_path / "e.json")
