import dataclasses

import numpy as np
import pytest
from colour_place import ColourFinder, bundle, photographs

from reloc_ros.calibration import UNCALIBRATED
from reloc_ros.geometry import SE3
from reloc_ros.inference.keypoints import NO_KEYPOINTS, Keypoints
from reloc_ros.localizer import Localized, Localizer, Lost, LostReason
from reloc_ros.offline.bundling import calibrate as calibration
from reloc_ros.offline.bundling import trial_pictures
from reloc_ros.offline.bundling.calibrate import calibrate
from reloc_ros.offline.bundling.trial_poses import MIN_SAMPLES


@pytest.fixture
def clean(monkeypatch):
    monkeypatch.setattr(
        trial_pictures, "CLEAN_SHARE", 1.0
    )  # in the dark, colours are no longer what they were


@pytest.mark.parametrize("told_px", [0.7, 3.0])
def test_sigma_is_scaled_to_what_the_keypoints_err_by_and_the_covariance_holds(clean, told_px):
    finder = ColourFinder(1.5, told_px)
    measured = calibrate(bundle(), finder, photographs(), count=48)
    assert measured.sigma_scale == pytest.approx(1.5 / told_px, rel=0.25)
    assert 0.7 < measured.coarse_scale < 1.3  # errors are independent here
    assert measured.refined_scale == 1  # without reference views nothing is refined
    assert measured.made_from["pictures"] == 48 and measured.made_from["photos"] == 4
    assert measured.made_from["believed_wrong"] == 0 and measured.made_from["believed"] >= 44
    assert finder.runs == 96  # each picture once, however often it is localized


def test_mirrored_and_scrambled_places_set_the_evidence_and_have_too_little(clean):
    finder = ColourFinder(1.0, 1.0)
    measured = calibrate(bundle(), finder, photographs(), count=40)
    low, high = calibration.EVIDENCE_RANGE
    assert low <= measured.min_evidence <= high
    localizer = Localizer(bundle(), finder)
    for seed, photo in enumerate(photographs()):
        picture = trial_pictures.of_no_place(photo, seed)
        assert not isinstance(localizer.localize(picture.image, picture.camera), Localized)


def sharpened_stray(evidence: float, refined: bool = True) -> Localized:
    keypoints = Keypoints(np.arange(1), np.zeros((1, 2)), np.array([evidence]), np.ones(1))
    return Localized(SE3.identity(), np.eye(6), keypoints, np.ones(1, bool), 1.0, {}, refined=refined)


def lost_strays(count: int) -> list[Lost]:
    return [Lost(LostReason.NO_CONSENSUS, "", NO_KEYPOINTS, np.zeros(0, bool), {})] * count


def test_a_verified_pose_needs_least_where_no_stray_is_verified_however_much_others_reach():
    least = calibration.LEAST.needed_evidence(verified=True)
    unverified = sharpened_stray(40.0, refined=False)
    assert calibration.verified_share([*lost_strays(239), unverified], 16.0) == pytest.approx(least / 16)
    assert calibration.verified_share(lost_strays(240), 3.0) == UNCALIBRATED.verified_share


def test_a_verified_pose_needs_what_one_verified_stray_in_a_thousand_pictures_reaches():
    least = calibration.LEAST.needed_evidence(verified=True)
    rng = np.random.default_rng(5)
    strays = [sharpened_stray(least + beyond) for beyond in rng.exponential(0.7, 24)]
    found = calibration.verified_share([*lost_strays(216), *strays], 16.0) * 16
    assert found == pytest.approx(least + 0.7 * np.log(100), abs=1.0)
    wild = [sharpened_stray(30.0)] * 24
    assert calibration.verified_share([*lost_strays(216), *wild], 16.0) == UNCALIBRATED.verified_share


def test_strays_that_were_verified_with_little_evidence_ask_for_no_less_than_the_least():
    least = calibration.LEAST.needed_evidence(verified=True)
    judged_without_likes = [sharpened_stray(-1.0), sharpened_stray(least)]
    found = calibration.verified_share([*lost_strays(238), *judged_without_likes], 16.0)
    assert found == pytest.approx(least / 16)


def test_a_photograph_whose_own_pose_is_wrong_is_named(clean):
    photos = [dataclasses.replace(photo, name=f"{i}.jpg") for i, photo in enumerate(photographs())]
    moved = photos[2].camera_from_map @ SE3(np.eye(3), [0.0, 0.9, 0.0])
    photos[2] = dataclasses.replace(photos[2], camera_from_map=moved)
    measured = calibrate(bundle(), ColourFinder(1.0, 1.0), photos, count=48)
    named = measured.made_from["astray_photos"]
    assert list(named) == ["2.jpg"] and named["2.jpg"] >= 8


def test_evidence_needed_is_what_one_picture_in_a_thousand_of_no_place_reaches():
    rng = np.random.default_rng(3)
    asked = [calibration.needed_evidence(rng.exponential(0.9, 240) - 1) for _ in range(40)]
    assert np.median(asked) == pytest.approx(0.9 * np.log(1000) - 1, abs=0.5)
    assert calibration.needed_evidence(np.full(50, -9.0)) == calibration.EVIDENCE_RANGE[0]
    assert calibration.needed_evidence(rng.exponential(9.0, 240)) == calibration.EVIDENCE_RANGE[1]


def test_too_few_keypoints_change_nothing():
    assert calibration._sigma_scale(np.full(MIN_SAMPLES - 1, 9.0)) == UNCALIBRATED.sigma_scale
