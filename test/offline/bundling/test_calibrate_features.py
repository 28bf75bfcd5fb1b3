import dataclasses

import numpy as np
import pytest
from colour_place import CAMERA, POSES, SHAPE, ColourFinder, bundle, make_landmarks, photographs
from feature_maps import make_feature_map

from reloc_ros.geometry import SE3
from reloc_ros.inference.keypoints import Keypoints
from reloc_ros.localizer import Localized
from reloc_ros.offline.bundling import calibrate_features as module
from reloc_ros.offline.bundling import trial_pictures
from reloc_ros.offline.bundling.calibrate_features import EVIDENCE_RANGE, calibrate_features


class ColourFeatures:
    """Finds the landmarks by their colours, and describes each by numbers of its own."""

    name, max_ratio, reach_px, side = "colours", 0.8, 1.5, np.inf
    descriptors = np.random.default_rng(0).integers(0, 200, (SHAPE.landmarks, 128)).astype(np.uint8)

    def __init__(self, side=np.inf):
        self.finder = ColourFinder(0.3, 1.0)

    def detect(self, image):
        found = self.finder.infer(image)
        rows = np.flatnonzero(found[:, 2] > 0)
        return found[rows, :2].astype(float), self.descriptors[rows]


@pytest.fixture
def features(monkeypatch):
    monkeypatch.setattr(module, "Sift", ColourFeatures)
    monkeypatch.setattr(trial_pictures, "CLEAN_SHARE", 1.0)
    points = make_landmarks().positions_map
    return make_feature_map(ColourFeatures.descriptors, np.arange(SHAPE.landmarks), points)


def test_poses_by_features_get_a_covariance_and_a_limit_of_evidence_of_their_own(features):
    measured = calibrate_features(bundle(), features, photographs(), count=48)
    assert 0.3 <= measured.coarse_scale < 0.8  # they err by 0.3 px, and are taken to err by one
    assert measured.refined_scale == 1  # without reference views nothing is refined
    assert EVIDENCE_RANGE[0] <= measured.min_evidence < 20
    assert measured.made_from["believed"] >= 44 and measured.made_from["believed_wrong"] == 0


def test_how_uncertain_the_points_are_is_in_the_covariance_that_is_calibrated(features):
    """As in that of the poses to come, which is scaled by what is measured here."""
    pixel_map = np.median([pose.apply(features.landmarks.positions_map)[:, 2] for pose in POSES]) / CAMERA.fx
    uncertain = np.tile(
        3 * pixel_map**2 * np.eye(3), (SHAPE.landmarks, 1, 1)
    )  # with one pixel twice as much in all
    exact, loose = (
        calibrate_features(bundle(), each, photographs(), count=48).coarse_scale
        for each in (features, dataclasses.replace(features, covariances_map=uncertain))
    )
    assert loose / exact == pytest.approx(1 / 1.5, rel=0.15)


def test_what_verified_strays_reach_counts_as_much_as_will_be_asked_for_less():
    def result(refined: bool) -> Localized:
        keypoints = Keypoints(np.arange(3), np.zeros((3, 2)), np.array([0.9, 0.8, 0.5]), np.ones(3))
        inliers = np.array([True, True, False])
        return Localized(SE3.identity(), np.eye(6), keypoints, inliers, 1.0, {}, refined=refined)

    assert module._reached(result(False), result(False)) == pytest.approx(1.2)
    assert module._reached(result(False), result(True)) == pytest.approx(2.4)
