import dataclasses

import numpy as np
import pytest
from colour_place import ColourFinder, bundle, photographs

from reloc_ros.calibration import UNCALIBRATED
from reloc_ros.localizer import Localized, Localizer, Lost, LostReason
from reloc_ros.offline.bundling import trial_poses
from reloc_ros.offline.bundling.trial_poses import Trial, account, evidence_of, judge


def test_an_ambiguous_image_is_no_believed_pose_however_much_speaks_for_one_of_several():
    found = Localizer(bundle(), ColourFinder(1.0, 1.0)).localize(photographs()[0].image)
    assert isinstance(found, Localized) and evidence_of(found) > 5
    ambiguous = Lost(LostReason.AMBIGUOUS_PLACE, "", found.keypoints, found.inliers, {})
    trial = judge(bundle().landmarks, photographs()[0], ambiguous)
    told = account(photographs(), [trial], [], np.zeros(1), 5.0, 0.5)
    assert told["believed"] == told["believed_wrong"] == 0 and told["astray_photos"] == {}


def normal_errors(factor: float, count: int = 4000) -> list[Trial]:
    nees = factor**2 * np.random.default_rng(0).chisquare(6, count)
    return [Trial(10.0, 0.1, float(value), True) for value in nees]


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
def test_the_scale_makes_normal_errors_what_the_covariance_says(factor):
    scale = trial_poses.pose_scale(normal_errors(factor), 4.0)
    assert scale == pytest.approx(factor, rel=0.02)


def test_wrong_and_unbelieved_poses_do_not_widen_the_covariance_of_the_others():
    spoiled = [*normal_errors(1.0), *[Trial(10.0, 5.0, 1e4, True)] * 50, *[Trial(3.0, 0.1, 1e4, True)] * 50]
    assert trial_poses.pose_scale(spoiled, 4.0) == trial_poses.pose_scale(normal_errors(1.0), 4.0)


def test_where_few_poses_are_believed_those_next_to_them_tell_how_uncertain_they_are():
    few = trial_poses.MIN_SAMPLES // 4
    others = [dataclasses.replace(trial, evidence=3.0) for trial in normal_errors(1.7, 100)]
    doubtful = [Trial(-5.0, 0.1, 1e3, True)] * 100
    scale = trial_poses.pose_scale([*doubtful, *normal_errors(1.7, few), *others], 4.0)
    assert scale == pytest.approx(1.7, rel=0.15)


def gross(nees: float, photo: str, off: float = 0.8) -> Trial:
    """A pose up to a tenth of the distance off that claims to be exact."""
    return Trial(10.0, off, nees, True, photo)


def test_a_few_poses_that_are_far_off_do_not_widen_the_covariance_of_all():
    sound = normal_errors(1.0, 57)
    spoiled = [*sound, *(gross(nees, "bent.jpg") for nees in (2e4, 5e4, 9e4))]
    assert trial_poses.pose_scale(spoiled, 4.0) == trial_poses.pose_scale(sound, 4.0)
    assert [trial.photo for trial in trial_poses._astray(spoiled, 4.0)] == ["bent.jpg"] * 3


def test_many_poses_that_are_far_off_are_part_of_the_truth():
    sound = normal_errors(1.0, 50)
    spoiled = [*sound, *(gross(2e4, "bent.jpg") for _ in range(10))]
    assert trial_poses.pose_scale(spoiled, 4.0) == trial_poses.SCALE_RANGE[1]


def test_what_is_wrong_with_a_calibration_is_said_and_the_images_named():
    made = {"believed": 240, "astray_photos": {"a.jpg": 1, "b.jpg": 4}}
    at_limit = dataclasses.replace(UNCALIBRATED, coarse_scale=10.0, refined_scale=0.3, made_from=made)
    over, under, astray = trial_poses.problems_of(at_limit)
    assert "the coarse poses' sigmas would have to grow more than 10 times" in over and "folded" in over
    assert "the sharpened poses' sigmas would have to shrink" in under
    assert "5 of 240 believed poses" in astray and "b.jpg (4), a.jpg (1)" in astray
    assert trial_poses.problems_of(UNCALIBRATED) == []
    assert trial_poses.problems_of(dataclasses.replace(UNCALIBRATED, coarse_scale=9.9)) == []


def test_too_few_poses_change_nothing():
    few = normal_errors(3.0, trial_poses.MIN_SAMPLES - 1)
    assert trial_poses.pose_scale(few, 4.0) == 1
