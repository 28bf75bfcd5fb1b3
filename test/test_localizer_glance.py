"""The localizer's first look at an image, in half its size."""

import dataclasses

import numpy as np
import pytest
from reference_corner import CAMERA, picture
from test_localizer import SHAPE, Oracle
from test_localizer_refined import NOISE_PX, TRUTH, found, make_landmarks, references

from reloc_ros.bundle import Bundle, NetworkShape
from reloc_ros.demo.film.trajectories import CAMERA as DEMO_CAMERA
from reloc_ros.demo.film.trajectories import stream
from reloc_ros.demo.film.writer import pictures
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig, Lost
from reloc_ros.offline.bundling.trial_pictures import Photo, of_no_place
from reloc_ros.stream.tracker import Tracker

WHOLE, HALF = (512, 384), (256, 192)


def make_localizer(
    tmp_path, any_size=True, with_references=True, spoil=lambda found: None, **config
) -> Localizer:
    landmarks = make_landmarks()
    network = dataclasses.replace(SHAPE, width=WHOLE[0], height=WHOLE[1])
    bundle = Bundle(tmp_path, "unknown", CAMERA, network, landmarks, {}, {})
    bundle = dataclasses.replace(bundle, references=references() if with_references else None)
    oracle = Oracle(landmarks, NOISE_PX, spoil)
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
    ("size", "half"),
    [((512, 384), (256, 192)), ((640, 480), (320, 256)), ((384, 512), (192, 256)), ((480, 352), None)],
)
def test_the_half_is_in_multiples_of_32_pixels_and_not_too_small(size, half):
    glance = NetworkShape("none", 40, *size).glance
    assert (glance and (glance.width, glance.height)) == half


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
