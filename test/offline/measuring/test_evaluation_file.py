import json

import numpy as np
import pytest
import report_workspace as made

from reloc_ros.errors import RelocError
from reloc_ros.offline.measuring.evaluation_file import read_evaluation, write_evaluation


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
