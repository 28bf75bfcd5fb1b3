"""The localizer with a bundle that holds reference views."""

import copy
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from reference_corner import CAMERA, POSES, picture, references
from test_localizer import SHAPE, Oracle

from reloc_ros.bundle import Bundle
from reloc_ros.calibration import UNCALIBRATED
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig, Lost, LostReason
from reloc_ros.refinement.references import References

TRUTH = POSES[3]
NOISE_PX = 1.5
"""Of the network's keypoints, in pixels of its input, half those of the image."""


def make_landmarks() -> Landmarks:
    positions = references().points_map[:: len(references().points_map) // SHAPE.landmarks][: SHAPE.landmarks]
    directions = TRUTH.center - positions
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    cones = np.full(SHAPE.landmarks, np.radians(60))
    return Landmarks(np.arange(SHAPE.landmarks), positions, directions, cones)


def make_localizer(with_references: bool = True, calibration=UNCALIBRATED, **config) -> Localizer:
    landmarks = make_landmarks()
    bundle = Bundle(Path("made up"), "unknown", CAMERA, SHAPE, landmarks, {}, {}, calibration=calibration)
    bundle = dataclasses.replace(bundle, references=references() if with_references else None)
    oracle = Oracle(landmarks, NOISE_PX, lambda found: None)
    oracle.camera, oracle.camera_from_map = CAMERA, TRUTH
    return Localizer(bundle, oracle, LocalizerConfig(**config))


def found(result: Localized | Lost) -> Localized:
    assert isinstance(result, Localized), result
    return result


def test_a_pose_is_sharpened_where_the_reference_views_agree():
    coarse = found(make_localizer(refine=False).localize(picture(3)))
    result = found(make_localizer().localize(picture(3)))
    assert result.refined and result.support.share > 0.8
    assert rotation_error_deg(result.camera_from_map, TRUTH) < 0.02
    assert rotation_error_deg(coarse.camera_from_map, TRUTH) > 0.1
    assert center_error(result.camera_from_map, TRUTH) < 0.2 * center_error(coarse.camera_from_map, TRUTH)
    assert np.trace(result.covariance) < 0.1 * np.trace(coarse.covariance)
    assert list(result.stage_ms) == ["prepare", "network", "pnp", "refine", "total"]


AWAY = np.array([9.0, 0, 0])


def twice(one: References) -> References:
    """The same views and points once more, far away."""
    return dataclasses.replace(
        one,
        files=one.files * 2,
        cameras=one.cameras * 2,
        camera_from_map=(
            *one.camera_from_map,
            *(SE3(each.rotation, each.translation - each.rotation @ AWAY) for each in one.camera_from_map),
        ),
        points_map=np.concatenate([one.points_map, one.points_map + AWAY]),
        normals_map=np.tile(one.normals_map, (2, 1)),
        covariances_map=np.tile(one.covariances_map, (2, 1, 1)),
        seen_view=np.concatenate([one.seen_view, one.seen_view + len(one.files)]),
        seen_point=np.concatenate([one.seen_point, one.seen_point + len(one.points_map)]),
        seen_px=np.tile(one.seen_px, (2, 1)),
    )


def seen_twice(with_views: bool, count: int = SHAPE.landmarks // 2) -> Localizer:
    """A network that sees half of the landmarks, and `count` of another place far away, which has such views or not."""
    localizer, half = make_localizer(), SHAPE.landmarks // 2
    one = make_landmarks()
    moved = one.positions_map.copy(), one.directions_map.copy()
    moved[0][half:], moved[1][half:] = one.positions_map[:half] + AWAY, one.directions_map[:half]
    landmarks = dataclasses.replace(one, positions_map=moved[0], directions_map=moved[1])
    views = twice(references()) if with_views else references()
    bundle = dataclasses.replace(localizer.bundle, landmarks=landmarks, references=views)

    def spoil(seen: np.ndarray) -> None:
        seen[half:] = seen[:half]
        seen[half + count :, 2] = 0

    oracle = Oracle(one, 0.3, spoil)  # so that few fix a pose, too
    oracle.camera, oracle.camera_from_map = CAMERA, TRUTH
    return Localizer(bundle, oracle, LocalizerConfig())


@pytest.mark.parametrize("count", [20, 9])
def test_views_that_agree_with_one_of_two_poses_alone_tell_which_is_right(count):
    result = found(seen_twice(with_views=False, count=count).localize(picture(3)))
    assert result.refined and center_error(result.camera_from_map, TRUTH) < 0.01


@pytest.mark.parametrize(
    "count", [20, 9]
)  # of nine, five are in the picture: too few for a pose to be believed
def test_views_that_agree_with_both_poses_leave_the_place_ambiguous(count):
    result = seen_twice(with_views=True, count=count).localize(picture(3))
    assert isinstance(result, Lost) and result.reason is LostReason.AMBIGUOUS_PLACE and not result.final


def with_likes(views: References, shift: np.ndarray = AWAY) -> References:
    """Views that the map knows to look like that elsewhere, though no landmark says so."""
    poses = (SE3(pose.rotation, pose.translation - pose.rotation @ shift) for pose in POSES[::2])
    return dataclasses.replace(
        views, like_view=np.arange(5, dtype=np.int32), like_camera_from_map=tuple(poses)
    )


def known_likes(views: References, shift: np.ndarray = AWAY) -> Localized | Lost:
    """What becomes of an image of such a place."""
    localizer = make_localizer()
    bundle = dataclasses.replace(localizer.bundle, references=with_likes(views, shift))
    return Localizer(bundle, localizer.backend).localize(picture(3))


def test_an_image_of_what_the_map_knows_twice_is_ambiguous_though_one_of_both_was_learned():
    result = known_likes(twice(references()))
    assert isinstance(result, Lost) and result.reason is LostReason.AMBIGUOUS_PLACE and result.final


def test_an_image_is_not_ambiguous_where_the_views_show_that_its_like_is_none():
    elsewhere = dataclasses.replace(
        twice(references()), files=(*references().files, *(other_picture(i) for i in range(5)))
    )
    result = found(known_likes(elsewhere))
    assert result.refined and center_error(result.camera_from_map, TRUTH) < 0.01


def test_likes_are_looked_for_from_the_sharpened_pose(monkeypatch):
    localizer, asked = make_localizer(), []
    monkeypatch.setattr(localizer.refiner, "likes", lambda pose, camera: asked.append(pose) or [])
    result = found(localizer.localize(picture(3)))
    assert result.refined and [pose is result.camera_from_map for pose in asked] == [True]


def test_an_image_is_ambiguous_where_the_views_do_not_show_its_like():
    result = known_likes(references(), shift=-AWAY)
    assert isinstance(result, Lost) and result.reason is LostReason.AMBIGUOUS_PLACE


def test_a_like_from_about_where_the_pose_is_says_nothing():
    found(known_likes(references(), shift=np.array([0.05, 0, 0])))


def other_picture(view: int) -> bytes:
    """A reference view of another place of the same shape."""
    grey = cv2.cvtColor(picture(2 * view, seed=10), cv2.COLOR_BGR2GRAY)
    return cv2.imencode(".png", grey)[1].tobytes()


@pytest.mark.parametrize("given", [{"with_references": False}, {"refine": False}])
def test_without_reference_views_or_without_the_wish_nothing_is_sharpened(given):
    result = found(make_localizer(**given).localize(picture(3)))
    assert not result.refined and result.support is None
    assert "refine" not in result.stage_ms


def test_a_pose_that_the_reference_views_do_not_support_stays_as_it_is_and_says_so():
    image = picture(3, seed=10)
    coarse = found(make_localizer(refine=False).localize(image))
    result = found(make_localizer().localize(image))
    assert not result.refined and result.support.share < 0.2
    np.testing.assert_array_equal(result.camera_from_map.matrix, coarse.camera_from_map.matrix)
    np.testing.assert_array_equal(result.covariance, coarse.covariance)


def test_patches_that_fix_no_pose_leave_it_as_it_is(monkeypatch):
    def singular(*_, **__):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("reloc_ros.refinement.refine.refine", singular)
    result = found(make_localizer().localize(picture(3)))
    assert not result.refined and result.support.share > 0.8


@pytest.mark.parametrize(
    ("share", "given", "seed", "believed"),
    [
        (0.8, {}, 0, True),
        (0.8, {"with_references": False}, 0, False),
        (0.8, {}, 10, False),  # the picture is of another place: the reference views do not agree
        (0.4, {}, 0, False),
    ],
    ids=["verified", "no reference views", "they disagree", "too little to verify"],
)
def test_half_the_evidence_is_enough_where_the_reference_views_agree(share, given, seed, believed):
    there_is = found(make_localizer().localize(picture(3))).keypoints.scores.sum()  # all of them agree
    localizer = make_localizer(min_evidence=there_is / share, **given)
    result = localizer.localize(picture(3, seed=seed))
    assert isinstance(result, Localized) == believed
    assert believed or result.reason == LostReason.WEAK_EVIDENCE


def test_the_residual_is_that_of_the_sharpened_pose():
    result = found(make_localizer().localize(picture(3)))
    rows = result.keypoints.landmarks[result.inliers]
    points = make_landmarks().positions_map[rows]
    errors_px = np.linalg.norm(
        CAMERA.project(result.camera_from_map.apply(points)) - result.keypoints.positions_px[result.inliers],
        axis=1,
    )
    assert result.reprojection_rms_px == pytest.approx(np.sqrt(np.mean(errors_px**2)), rel=0.05)


def test_the_image_may_have_another_size():
    camera = CAMERA.resized(1280, 960)
    localizer = make_localizer()
    localizer.backend.camera = camera
    result = found(localizer.localize(picture(3, camera), camera))
    assert result.refined and rotation_error_deg(result.camera_from_map, TRUTH) < 0.03


def test_a_mask_that_comes_later_keeps_the_reference_views_off_the_robot_too():
    """As a node gives one to each of its cameras, which share the reference views."""
    image, half = picture(3).copy(), CAMERA.height // 2
    image[half:] = picture(3, seed=10)[half:]
    used = np.ones((CAMERA.height, CAMERA.width), bool)
    used[half:] = False
    plain = make_localizer()
    masked = copy.copy(plain)
    masked.mask = ImageMask(used)
    misled, right = (found(each.localize(image)).support for each in (plain, masked))
    assert right.patches < 0.8 * misled.patches
    assert right.share > 0.8 > misled.share
