import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.pose.acceptance import LocalizerConfig, evidence

scores = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40)


def balance(keypoints: list[tuple[float, bool]]) -> float:
    return evidence(np.array([s for s, _ in keypoints]), np.array([agrees for _, agrees in keypoints], bool))


@given(keypoints=scores)
def test_evidence_lies_between_all_against_and_all_for(keypoints):
    total = sum(score for score, _ in keypoints)
    assert -total - 1e-9 <= balance(keypoints) <= total + 1e-9
    assert balance([(s, True) for s, _ in keypoints]) == pytest.approx(total)


@given(keypoints=scores, score=st.floats(0, 1))
def test_a_keypoint_that_agrees_speaks_for_a_pose_and_one_that_does_not_as_much_against(keypoints, score):
    before = balance(keypoints)
    assert balance([*keypoints, (score, True)]) == pytest.approx(before + score)
    assert balance([*keypoints, (score, False)]) == pytest.approx(before - score)


def test_configuration_goes_before_the_bundle():
    measured = Calibration(min_evidence=3.0)
    assert LocalizerConfig().for_bundle(measured).min_evidence == 3.0
    assert LocalizerConfig().for_bundle(UNCALIBRATED).min_evidence == 4.0
    assert LocalizerConfig(min_evidence=1.5).for_bundle(measured).min_evidence == 1.5
