"""The localizer's first look at an image, in half its size."""

import dataclasses

import numpy as np
import pytest
from reference_corner import CAMERA, picture
from test_localizer import SHAPE, Oracle
from test_localizer_refined import NOISE_PX, TRUTH, found, make_landmarks, references, twice, with_likes

from reloc_ros.bundle import Bundle, NetworkShape
from reloc_ros.calibration import Calibration
from reloc_ros.demo.film.trajectories import CAMERA as DEMO_CAMERA
from reloc_ros.demo.film.trajectories import stream
from reloc_ros.demo.film.writer import pictures
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig, Lost
from reloc_ros.offline.bundling.calibrate import best_glance
from reloc_ros.offline.bundling.trial_pictures import Photo, of_no_place
from reloc_ros.offline.progress import silent
from reloc_ros.stream.tracker import Tracker

WHOLE, HALF = (512, 384), (256, 192)


def make_localizer(
    tmp_path, any_size=True, with_references=True, spoil=lambda found: None, kind=Oracle, places=(), **config
) -> Localizer:
    landmarks = make_landmarks()
    network = dataclasses.replace(SHAPE, width=WHOLE[0], height=WHOLE[1], places=places)
    bundle = Bundle(tmp_path, "unknown", CAMERA, network, landmarks, {}, {})
    bundle = dataclasses.replace(bundle, references=references() if with_references else None)
    oracle = kind(landmarks, NOISE_PX, spoil)
    oracle.camera, oracle.camera_from_map, oracle.any_size = CAMERA, TRUTH, any_size
    return Localizer(bundle, oracle, LocalizerConfig(**config))


def test_a_pose_that_is_verified_takes_only_a_glance(tmp_path):
    localizer = make_localizer(tmp_path)
    result = found(localizer.localize(picture(3)))
    assert localizer.backend.sizes == [HALF]
    assert result.refined and rotation_error_deg(result.camera_from_map, TRUTH) < 0.02
    assert list(result.stage_ms) == ["prepare", "network", "pnp", "refine", "total"]
    whole = found(make_localizer(tmp_path, glance=False).localize(picture(3)))
    assert center_error(result.camera_from_map, whole.camera_from_map) < 0.002
    np.testing.assert_allclose(result.covariance, whole.covariance, rtol=0.2, atol=1e-6)


def test_keypoints_of_a_glance_are_in_the_pixels_of_the_image(tmp_path):
    keypoints = found(make_localizer(tmp_path).localize(picture(3))).keypoints
    points = TRUTH.apply(make_landmarks().positions_map[keypoints.landmarks])
    errors_px = np.linalg.norm(CAMERA.project(points) - keypoints.positions_px, axis=1)
    assert np.median(errors_px) < 2 * NOISE_PX * CAMERA.width / HALF[0]


@pytest.mark.parametrize(
    "given", [{"any_size": False}, {"with_references": False}, {"refine": False}, {"glance": False}]
)
def test_where_nothing_could_verify_it_or_it_is_not_wanted_there_is_no_glance(tmp_path, given):
    localizer = make_localizer(tmp_path, **given)
    if given == {"any_size": False}:
        localizer.backend.any_size = True  # so that it does not mind that size
    found(localizer.localize(picture(3)))
    assert localizer.backend.sizes == [WHOLE]


def test_the_whole_image_is_seen_where_the_reference_views_do_not_verify_the_glance(tmp_path):
    localizer = make_localizer(tmp_path)
    result = found(localizer.localize(picture(3, seed=10)))
    assert localizer.backend.sizes == [HALF, WHOLE]
    whole = found(make_localizer(tmp_path, glance=False).localize(picture(3, seed=10)))
    assert not result.refined
    np.testing.assert_array_equal(result.camera_from_map.matrix, whole.camera_from_map.matrix)


@pytest.mark.parametrize(("share", "sizes"), [(0.5, [HALF]), (1.01, [HALF, WHOLE])])
def test_the_whole_image_is_seen_where_too_few_patches_agree_with_the_glance(tmp_path, share, sizes):
    localizer = make_localizer(tmp_path, glance_share=share)
    assert found(localizer.localize(picture(3))).refined
    assert localizer.backend.sizes == sizes


@pytest.mark.parametrize(
    ("share", "given", "sizes"),
    [(0.7, {}, [HALF]), (0.4, {}, [HALF, WHOLE]), (1.1, {"refine": False}, [WHOLE])],
)
def test_a_glance_needs_the_evidence_of_a_pose_that_the_views_verify(tmp_path, share, given, sizes):
    evidence = found(make_localizer(tmp_path).localize(picture(3))).keypoints.scores.sum()
    localizer = make_localizer(tmp_path, min_evidence=evidence / share, **given)
    localizer.localize(picture(3))
    assert localizer.backend.sizes == sizes


def test_the_witness_of_a_followed_pose_sees_the_whole_image_where_a_glance_does_not_confirm_it(tmp_path):
    localizer = make_localizer(tmp_path)
    assert localizer.confirms(picture(3), CAMERA, TRUTH)
    assert localizer.backend.sizes == [HALF]
    blind = make_localizer(tmp_path, spoil=lambda found: found.__setitem__((slice(None), 2), 0.0))
    assert not blind.confirms(picture(3), CAMERA, TRUTH)
    assert blind.backend.sizes == [HALF, WHOLE]


def test_a_stream_that_is_lost_wastes_no_glance(tmp_path):
    localizer = make_localizer(tmp_path)
    assert isinstance(Tracker(localizer).localize(picture(3), CAMERA, 1.0, None), Localized)
    assert localizer.backend.sizes == [WHOLE]


@pytest.mark.parametrize(
    ("size", "share", "smaller"),
    [
        ((512, 384), 0.5, (256, 192)),
        ((512, 384), 0.625, (320, 256)),
        ((640, 480), 0.5, (320, 256)),
        ((384, 512), 0.5, (192, 256)),
        ((480, 352), 0.5, None),
    ],
)
def test_smaller_pictures_are_in_multiples_of_32_pixels_and_not_too_small(size, share, smaller):
    shape = NetworkShape("none", 40, *size).at(share)
    assert (shape and (shape.width, shape.height)) == smaller


def test_a_glance_is_of_the_size_that_the_bundle_was_found_to_need(tmp_path):
    localizer = make_localizer(tmp_path)
    bundle = dataclasses.replace(localizer.bundle, calibration=Calibration(glance=0.75))
    found(Localizer(bundle, localizer.backend).localize(picture(3)))
    assert localizer.backend.sizes == [(384, 288)]


@pytest.mark.parametrize(("too_small", "chosen"), [((), 0.5), ((0.5,), 0.625), ((0.5, 0.625, 0.75), 0.5)])
def test_glances_are_as_small_as_they_find_most_poses_in(tmp_path, too_small, chosen):
    def spoil(found):
        if localizer.backend.sizes[-1][0] / WHOLE[0] in too_small:
            found[:, 2] = 0.0

    localizer = make_localizer(tmp_path, spoil=spoil)
    photos = [Photo(picture(3), CAMERA, TRUTH)] * 3
    assert best_glance(localizer, photos, silent) == chosen


def test_a_place_that_the_views_show_twice_takes_no_second_look(tmp_path):
    localizer = make_localizer(tmp_path)
    bundle = dataclasses.replace(localizer.bundle, references=with_likes(twice(references())))
    result = Localizer(bundle, localizer.backend).localize(picture(3))
    assert isinstance(result, Lost) and result.final
    assert localizer.backend.sizes == [HALF]


class OracleOfPlaces(Oracle):
    """Looks for the first of two places, and for both at its last attempt."""

    attempts = 3

    def infer(self, image, attempt=0):
        found = super().infer(image)
        if attempt < 2:
            found[len(found) // 2 :] = np.nan
        return found


class OracleThatSeesTheSecondPlaceLater(Oracle):
    """Of three places, the first of few landmarks, it looks for one more at each attempt."""

    attempts = 3

    def infer(self, image, attempt=0):
        found = super().infer(image)
        found[(3, len(found) // 2, len(found))[attempt] :] = np.nan
        return found


def test_what_is_seen_of_likely_places_confirms_a_pose_and_is_told(tmp_path):
    half = SHAPE.landmarks // 2  # three landmarks alone confirm nothing
    places = (3, half - 3, SHAPE.landmarks - half)
    localizer = make_localizer(tmp_path, kind=OracleThatSeesTheSecondPlaceLater, places=places)
    assert localizer.confirms(picture(3), CAMERA, TRUTH)
    assert localizer.look(picture(3), CAMERA)[0].landmarks.max() == half - 1


@pytest.mark.parametrize(("seed", "refined", "everywhere"), [(0, True, False), (10, False, True)])
def test_where_no_reference_view_verifies_a_pose_the_landmarks_of_all_places_are_asked(
    tmp_path, seed, refined, everywhere
):
    half = SHAPE.landmarks // 2
    places = (half, SHAPE.landmarks - half)
    localizer = make_localizer(tmp_path, kind=OracleOfPlaces, places=places, glance=False)
    result = found(localizer.localize(picture(3, seed=seed)))
    assert result.refined == refined
    assert (result.keypoints.landmarks >= half).any() == everywhere


def test_a_trained_network_finds_the_same_poses_at_a_glance_and_none_where_there_is_none():
    glancing = Localizer.from_bundle(EMBEDDED_BUNDLE, "onnx")
    whole = Localizer.from_bundle(EMBEDDED_BUNDLE, "onnx", LocalizerConfig(glance=False))
    assert glancing.backend.any_size
    walk = stream(2.0).part(slice(0, 12, 2))
    for index, image in enumerate(pictures(reading_corner(), walk)):
        result = glancing.localize(image, DEMO_CAMERA)
        expected = whole.localize(image, DEMO_CAMERA)
        assert center_error(found(result).camera_from_map, found(expected).camera_from_map) < 0.01
        nowhere = of_no_place(Photo(image, DEMO_CAMERA, walk.camera_from_map[index]), index)
        assert isinstance(glancing.localize(nowhere.image, nowhere.camera), Lost)
