import dataclasses

import cv2
import numpy as np
import pytest
from reference_corner import CAMERA, POSES, UTM, picture, references, shifted

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.io.image_mask import ImageMask
from reloc_ros.pose.pnp import Correspondences
from reloc_ros.refinement.references import References
from reloc_ros.refinement.refine import Refinement, Refiner

DISTANCE = 2.5


@pytest.fixture(scope="module")
def refiner() -> Refiner:
    return Refiner(references())


def off(pose: SE3, deg: float, percent: float, seed: int = 0) -> SE3:
    """The pose turned about and moved along random directions."""
    axis, way = (v / np.linalg.norm(v) for v in np.random.default_rng(seed).normal(size=(2, 3)))
    turned = SE3.from_rotation_vector(np.radians(deg) * axis, np.zeros(3)).rotation @ pose.rotation
    return SE3(turned, -turned @ (pose.center + percent / 100 * DISTANCE * way))


def landmarks(pose: SE3) -> Correspondences:
    """What a network would have found that sees this pose, as uncertain as the poses that are to be sharpened."""
    points = references().points_map[::40]
    camera = pose.apply(points)
    return Correspondences(points, camera[:, :2] / camera[:, 2:], np.full(len(points), 20 / 500))


def sharpen(
    refiner: Refiner, image: np.ndarray, start: SE3, camera: Camera = CAMERA, mask: ImageMask | None = None
) -> Refinement:
    return refiner.refine(image, camera, start, landmarks(start), mask)


def errors(found: Refinement, truth: SE3) -> tuple[float, float]:
    """Degrees, and percent of the distance."""
    pose = found.camera_from_map
    return rotation_error_deg(pose, truth), 100 * center_error(pose, truth) / DISTANCE


@pytest.mark.parametrize("index", [1, 3, 5, 7])
@pytest.mark.parametrize(("deg", "percent"), [(0.3, 0.3), (1.0, 1.5), (3.0, 4.0)])
def test_a_first_pose_is_sharpened_to_the_true_one(refiner, index, deg, percent):
    found = sharpen(refiner, picture(index), off(POSES[index], deg, percent, index))
    assert found.doubt is None
    rotation_deg, percent = errors(found, POSES[index])
    assert rotation_deg < 0.02 and percent < 0.04
    assert found.support.share > 0.8


@pytest.mark.parametrize("index", [1, 3])
def test_a_map_in_projected_coordinates_is_sharpened_the_same(index, tmp_path):
    """Saved and read again, as a bundle has it."""
    found = []
    for shift in (np.zeros(3), UTM):
        shifted(references(), shift).save(tmp_path / "references.npz")
        start, here = off(POSES[index], 1.0, 1.5, index), SE3(np.eye(3), shift)
        marks = landmarks(start)
        marks = dataclasses.replace(marks, points_map=marks.points_map + shift)
        refiner = Refiner(References.load(tmp_path / "references.npz"))
        found.append(refiner.refine(picture(index), CAMERA, start @ here.inverse(), marks))
    near, far = found
    assert near.doubt is None and far.doubt is None
    moved = far.camera_from_map @ SE3(np.eye(3), UTM)
    assert center_error(moved, near.camera_from_map) < 1e-6 * DISTANCE
    assert rotation_error_deg(moved, near.camera_from_map) < 1e-5
    np.testing.assert_allclose(far.covariance, near.covariance, rtol=1e-4, atol=1e-12)
    assert (far.support.patches, far.support.agreeing) == (near.support.patches, near.support.agreeing)


def test_the_true_pose_stays(refiner):
    found = sharpen(refiner, picture(3), POSES[3])
    rotation_deg, percent = errors(found, POSES[3])
    assert found.doubt is None and rotation_deg < 0.02 and percent < 0.04


CAMERAS = {
    "half as large": CAMERA.resized(320, 240),
    "twice as large": CAMERA.resized(1280, 960),
    "of another aspect": Camera("pinhole", 480, 640, 500.0, 500.0, 240.0, 320.0),
    "strongly distorted": Camera(
        "brown", 640, 480, 420.0, 420.0, 318, 241, (-0.3, 0.1, 2e-3, 1e-3, 0, 0, 0, 0)
    ),
    "a fisheye": Camera("fisheye", 640, 480, 330.0, 330.0, 320.0, 240.0, (0.02, -0.01, 0, 0)),
    "with pixels that are not square": Camera("pinhole", 640, 360, 500.0, 370.0, 320.0, 180.0),
}


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_any_camera_is_compared_with_the_views_of_another(refiner, camera):
    found = sharpen(refiner, picture(3, camera), off(POSES[3], 0.7, 1.0), camera)
    assert found.doubt is None
    rotation_deg, percent = errors(found, POSES[3])
    assert rotation_deg < 0.05 and percent < 0.08


def test_reference_views_of_a_fisheye_serve_a_pinhole():
    fisheye = CAMERAS["a fisheye"]
    camera = CAMERAS["of another aspect"]
    found = sharpen(Refiner(references(fisheye)), picture(3, camera), off(POSES[3], 0.7, 1.0), camera)
    rotation_deg, percent = errors(found, POSES[3])
    assert found.doubt is None and rotation_deg < 0.05 and percent < 0.08


def test_brightness_and_contrast_do_not_matter(refiner):
    image = np.rint(40 + 0.3 * picture(3)).astype(np.uint8)
    found = sharpen(refiner, image, off(POSES[3], 0.7, 1.0))
    rotation_deg, percent = errors(found, POSES[3])
    assert found.doubt is None and rotation_deg < 0.03 and percent < 0.06


def test_a_grey_image_gives_what_a_coloured_one_gives(refiner):
    start = off(POSES[3], 0.7, 1.0)
    coloured = sharpen(refiner, picture(3), start)
    grey = sharpen(refiner, cv2.cvtColor(picture(3), cv2.COLOR_BGR2GRAY), start)
    np.testing.assert_array_equal(grey.camera_from_map.matrix, coloured.camera_from_map.matrix)


def test_what_covers_a_part_of_the_view_is_left_out(refiner):
    image = picture(3).copy()
    image[:, :256] = np.random.default_rng(0).integers(0, 256, (480, 256, 1))
    found = sharpen(refiner, image, off(POSES[3], 0.7, 1.0))
    rotation_deg, percent = errors(found, POSES[3])
    assert found.doubt is None and rotation_deg < 0.05 and percent < 0.1
    assert 0.35 < found.support.share < 0.75


def test_reported_uncertainty_is_that_of_the_errors(refiner):
    """Rendered truth and exact points: what is left is the patches' own error, which the covariance must cover."""
    normalised = []
    for index in (1, 3, 5, 7):
        found = sharpen(refiner, picture(index), off(POSES[index], 0.5, 0.5, index))
        error = found.camera_from_map.center - POSES[index].center
        normalised.append(error @ np.linalg.solve(found.covariance[:3, :3], error))
        assert np.sqrt(np.diag(found.covariance)[:3]).max() < 0.005 * DISTANCE
    assert np.mean(normalised) < 12


def test_patches_of_points_that_the_map_is_unsure_of_count_less():
    """All alike, by a pixel or so: the pose is as before, and as much less certain."""
    sure, pixel = references(), DISTANCE / CAMERA.mean_focal
    unsure = dataclasses.replace(sure, covariances_map=np.tile(pixel**2 * np.eye(3), (1500, 1, 1)))
    found, vague = (sharpen(Refiner(each), picture(3), off(POSES[3], 0.5, 0.5)) for each in (sure, unsure))
    assert center_error(found.camera_from_map, vague.camera_from_map) < 1e-3 * DISTANCE
    grown = np.sqrt(np.diag(vague.covariance) / np.diag(found.covariance))
    assert (grown > 2).all() and (grown < 5).all()


OTHER = {
    "another place": lambda: picture(3, seed=10),
    "mirrored": lambda: np.ascontiguousarray(np.fliplr(picture(3))),
    "black": lambda: np.zeros((480, 640, 3), np.uint8),
    "white": lambda: np.full((480, 640), 255, np.uint8),
}


@pytest.mark.parametrize("image", OTHER.values(), ids=OTHER)
def test_a_picture_of_something_else_leaves_the_first_pose_and_finds_no_support(refiner, image):
    start = off(POSES[3], 0.7, 1.0)
    found = sharpen(refiner, image(), start)
    assert found.doubt and "\n" not in found.doubt
    assert found.camera_from_map is start and found.covariance is None
    assert found.support.share < 0.3 and found.support.mean_correlation < 0.2


def test_a_pose_that_looks_away_finds_nothing_to_compare(refiner):
    about = SE3.from_rotation_vector([0, np.pi, 0], np.zeros(3))
    away = about @ POSES[3]
    found = sharpen(refiner, picture(3), away)
    assert found.doubt and found.camera_from_map is away and found.support.patches == 0


def test_a_pose_that_the_landmarks_contradict_is_not_believed(refiner):
    """However well it looks: a repeated pattern looks well, too, a step beside the truth."""
    start = off(POSES[3], 0.7, 1.0)
    sure = landmarks(start)
    sure = dataclasses.replace(sure, sigmas=sure.sigmas / 100)
    found = refiner.refine(picture(3), CAMERA, start, sure)
    assert found.doubt is not None and "landmarks" in found.doubt
    assert found.camera_from_map is start and found.support.share > 0.5


def test_the_same_image_gives_the_same_answer(refiner):
    first, second = (sharpen(refiner, picture(5), off(POSES[5], 1.0, 1.0)) for _ in range(2))
    np.testing.assert_array_equal(first.camera_from_map.matrix, second.camera_from_map.matrix)


def test_the_pose_is_found_in_a_tiny_picture_too(refiner):
    camera = CAMERA.resized(80, 60)
    small = cv2.resize(picture(3), (80, 60), interpolation=cv2.INTER_AREA)
    found = sharpen(refiner, small, off(POSES[3], 0.7, 1.0), camera)
    rotation_deg, percent = errors(found, POSES[3])
    assert rotation_deg < 0.7 and percent < 1.01


def test_a_part_of_the_robot_that_looks_like_the_place_moves_no_pose_where_it_is_masked():
    """A mirror on the robot, say: the lower half shows the place from elsewhere."""
    image, truth = picture(3).copy(), POSES[3]
    half = CAMERA.height // 2
    image[half:] = np.roll(image[half:], 4, axis=1)
    used = np.ones((CAMERA.height, CAMERA.width), bool)
    used[half:] = False
    refiner = Refiner(references())
    for mask, is_right in ((None, False), (ImageMask(used), True), (ImageMask(used[::4, ::4]), True)):
        for found in (
            sharpen(refiner, image, off(truth, 0.3, 0.3), mask=mask),
            refiner.follow(image, refiner.appearance(CAMERA, truth), off(truth, 0.1, 0.1), mask),
        ):
            deg, percent = errors(found, truth)
            assert (found.doubt is None and deg < 0.05 and percent < 0.1) == is_right
