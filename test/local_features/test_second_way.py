import dataclasses

import numpy as np
import pytest
import reference_corner
import test_localizer_refined
from feature_maps import make_feature_map
from test_localizer import CAMERA_FROM_MAP, MAP_CAMERA, make_localizer, picture

from reloc_ros import localizer as module
from reloc_ros.errors import RelocError
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.local_features import second_way
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig, Lost, LostReason
from reloc_ros.offline.measuring.evaluate import own_methods

COUNT = 120


class Planted:
    """Finds the points of the map where they are, but for some that lie anywhere."""

    name, max_ratio, reach_px, side = "planted", 0.8, 1.5, np.inf
    wrong = 0.4

    def __init__(self, side=np.inf):
        """Whatever the side, it is told the image's own pixels."""

    def detect(self, image):
        rng = np.random.default_rng(1)
        keypoints_px = MAP_CAMERA.project(CAMERA_FROM_MAP.apply(points())) + rng.normal(0, 0.3, (COUNT, 2))
        anywhere = rng.random(COUNT) < self.wrong
        keypoints_px[anywhere] = rng.uniform(0, 1000, (np.count_nonzero(anywhere), 2))
        return keypoints_px, descriptors()


def points() -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (COUNT, 3)) * [1, 0.8, 0.7]


def descriptors() -> np.ndarray:
    return np.random.default_rng(6).integers(0, 200, (COUNT, 128)).astype(np.uint8)


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setattr(second_way, "Sift", Planted)


def blind(found: np.ndarray) -> None:
    """A network that sees nothing."""
    found[:, 2] = 0


def with_features(spoil=blind, **config) -> Localizer:
    network = make_localizer(spoil)
    features = make_feature_map(descriptors(), np.arange(COUNT), points())
    bundle = dataclasses.replace(network.bundle, features=features)
    return Localizer(bundle, network.backend, LocalizerConfig(**config))


def test_where_the_network_is_lost_local_features_find_the_pose():
    result = with_features().localize(picture())
    assert isinstance(result, Localized) and result.found_by == "features" and not result.tracked
    assert rotation_error_deg(result.camera_from_map, CAMERA_FROM_MAP) < 0.1
    assert center_error(result.camera_from_map, CAMERA_FROM_MAP) < 0.01
    assert {"network", "detect", "match", "pnp"} <= result.stage_ms.keys()
    assert 0.5 * COUNT < result.inliers.sum() < 0.8 * COUNT


def test_points_that_the_map_is_unsure_of_make_a_pose_less_certain():
    sure = with_features(refine=False)
    known = sure.bundle.features
    wide = dataclasses.replace(known, covariances_map=np.tile(0.05**2 * np.eye(3), (COUNT, 1, 1)))
    unsure = Localizer(dataclasses.replace(sure.bundle, features=wide), sure.backend, sure.config)
    before, after = (np.trace(one.localize(picture()).covariance) for one in (sure, unsure))
    assert after > 4 * before


def test_the_network_comes_first():
    result = with_features(lambda found: None).localize(picture())
    assert isinstance(result, Localized) and result.found_by == "network"


def test_without_fallback_or_features_a_lost_image_stays_lost():
    for localizer in (with_features(fallback="off"), make_localizer(blind)):
        result = localizer.localize(picture())
        assert isinstance(result, Lost) and "features" not in result.detail
        assert localizer.second_way is None


def test_the_network_alone_is_measured_anew_only_where_it_did_not_place_the_image():
    for spoil in (blind, lambda found: None):
        localizer = with_features(spoil)
        whole, alone = own_methods(localizer).values()
        placed = whole(picture(), MAP_CAMERA)
        assert placed.found_by == ("features" if spoil is blind else "network")
        measured = alone(picture(), MAP_CAMERA)
        assert isinstance(measured, Lost) if spoil is blind else measured is placed


@pytest.fixture
def corner(monkeypatch):
    """A localizer with reference views, and the noise of its features, pixels."""
    known = reference_corner.references().points_map[:COUNT]

    def make(noise_px: float) -> Localizer:
        def detect(self, image):
            seen = reference_corner.CAMERA.project(test_localizer_refined.TRUTH.apply(known))
            return seen + np.random.default_rng(1).normal(0, noise_px, seen.shape), descriptors()

        monkeypatch.setattr(Planted, "detect", detect)
        plain = test_localizer_refined.make_localizer()
        features = make_feature_map(descriptors(), np.arange(COUNT), known)
        return Localizer(dataclasses.replace(plain.bundle, features=features), plain.backend)

    return make


def unverified() -> np.ndarray:
    """A picture that the reference views have nothing in common with."""
    shape = reference_corner.picture(3).shape
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_where_views_do_not_verify_a_pose_the_surer_one_of_network_and_features_is_taken(corner):
    truth = test_localizer_refined.TRUTH
    alone = test_localizer_refined.make_localizer().localize(unverified())
    exact, vague = corner(0.1).localize(unverified()), corner(4.0).localize(unverified())
    assert exact.found_by == "features" and not exact.refined
    assert center_error(exact.camera_from_map, truth) < 0.5 * center_error(alone.camera_from_map, truth)
    assert vague.found_by == "network" and "detect" in vague.stage_ms
    assert center_error(vague.camera_from_map, alone.camera_from_map) == 0


def test_where_views_verify_a_pose_no_features_are_looked_for(corner):
    result = corner(0.1).localize(reference_corner.picture(3))
    assert result.refined and result.found_by == "network" and "detect" not in result.stage_ms


def test_a_pose_that_few_patches_agree_with_is_doubted(corner, monkeypatch):
    localizer = corner(0.1)
    sure = localizer.localize(reference_corner.picture(3))
    monkeypatch.setattr(module, "DOUBTFUL_SHARE", sure.support.share + 0.01)
    assert "detect" in localizer.localize(reference_corner.picture(3)).stage_ms


def test_the_time_of_the_network_alone_holds_no_features(corner):
    whole, alone = own_methods(corner(4.0)).values()
    assert "detect" in whole(unverified(), reference_corner.CAMERA).stage_ms
    assert "detect" not in alone(unverified(), reference_corner.CAMERA).stage_ms


def test_features_of_another_kind_are_refused_when_the_map_is_loaded():
    network = make_localizer(blind)
    features = make_feature_map(descriptors()[:, :64], np.arange(COUNT), points())
    with pytest.raises(RelocError, match="local features have 64 numbers each, and SIFT's have 128"):
        Localizer(dataclasses.replace(network.bundle, features=features), network.backend)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_map_of_few_features_is_lost_as_any_other(count):
    network = make_localizer(blind)
    features = make_feature_map(descriptors()[:count], np.arange(count), points()[:count])
    bundle = dataclasses.replace(network.bundle, features=features)
    assert isinstance(Localizer(bundle, network.backend).localize(picture()), Lost)


def test_a_place_that_repeats_is_ambiguous_to_local_features(monkeypatch):
    half = COUNT // 2
    twins = points()
    twins[half:] = twins[:half] + np.array([9.0, 0, 0])
    once = MAP_CAMERA.project(CAMERA_FROM_MAP.apply(twins[:half]))
    monkeypatch.setattr(Planted, "detect", lambda self, image: (np.concatenate([once, once]), descriptors()))
    network = make_localizer(blind)
    features = make_feature_map(descriptors(), np.arange(COUNT), twins)
    bundle = dataclasses.replace(network.bundle, features=features)
    result = Localizer(bundle, network.backend, LocalizerConfig()).localize(picture())
    assert isinstance(result, Lost) and result.reason is LostReason.AMBIGUOUS_PLACE
    assert "the place repeats" in result.detail and "no landmark" in result.detail


def test_what_neither_finds_is_lost_for_both_reasons(monkeypatch):
    monkeypatch.setattr(Planted, "wrong", 1.0)
    result = with_features().localize(picture())
    assert isinstance(result, Lost) and result.reason.value == "no_keypoints" and len(result.keypoints) == 0
    assert result.detail.startswith("no landmark of the map was found in the image; by local features: ")


def test_a_pose_by_features_needs_the_evidence_that_was_measured_for_them():
    localizer = with_features()
    asked = dataclasses.replace(localizer.bundle.features_calibration, min_evidence=1e3)
    strict = dataclasses.replace(localizer.bundle, features_calibration=asked)
    result = Localizer(strict, localizer.backend).localize(picture())
    assert isinstance(result, Lost) and "1000.0 needed" in result.detail
    scaled = dataclasses.replace(localizer.bundle.features_calibration, coarse_scale=3.0)
    wide = dataclasses.replace(localizer.bundle, features_calibration=scaled)
    before, after = localizer.localize(picture()), Localizer(wide, localizer.backend).localize(picture())
    np.testing.assert_allclose(after.covariance, 9 * before.covariance)


def test_keypoints_are_of_the_features_points_and_none_is_where_the_robot_is_seen():
    localizer = with_features()
    result = localizer.localize(picture())
    known = localizer.bundle.landmarks_of(result.found_by)
    assert known is localizer.bundle.features.landmarks
    assert localizer.bundle.landmarks_of("network") is localizer.bundle.landmarks
    seen = MAP_CAMERA.project(CAMERA_FROM_MAP.apply(known.positions_map[result.keypoints.landmarks]))
    assert np.abs(seen - result.keypoints.positions_px)[result.inliers].max() < 10
    used = np.ones((MAP_CAMERA.height, MAP_CAMERA.width), bool)
    used[:, :640] = False
    localizer.mask = ImageMask(used)
    masked = localizer.localize(picture())
    assert len(masked.keypoints) < len(result.keypoints) and masked.keypoints.positions_px[:, 0].min() >= 639


def test_an_image_is_looked_at_again_by_features_alone():
    result = with_features().look_again(picture(), MAP_CAMERA)
    assert isinstance(result, Localized) and "network" not in result.stage_ms
    assert isinstance(make_localizer(blind).look_again(picture(), MAP_CAMERA), Lost)
    assert isinstance(with_features().look_again(picture()[:10], MAP_CAMERA), Lost)


def test_an_unknown_fallback_is_refused():
    with pytest.raises(RelocError, match="unknown fallback 'sift'; use auto or off"):
        LocalizerConfig(fallback="sift")
