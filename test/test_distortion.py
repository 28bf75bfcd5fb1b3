"""Every lens there and back, over whole images and up to its fold; and no ray beyond."""

import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.cameras import Camera
from reloc_ros.distortion import lens_of

REAL = {
    "RealSense T265": Camera(
        "fisheye", 848, 800, 286.157, 286.008, 423.534, 401.768, (-0.0092746, 0.0461914, -0.043395, 0.0080225)
    ),
    "as in TUM-VI": Camera(
        "fisheye", 512, 512, 190.978, 190.973, 254.932, 256.897, (0.0034824, 0.000715, -0.0020532, 0.0002029)
    ),
    "an 8 mm fisheye with skew": Camera(
        "fisheye",
        1640,
        1232,
        403.98,
        404.71,
        871.22,
        597.37,
        (0.175653, -0.031772, 0.000362, -0.000719),
        -0.97,
    ),
    "an action camera, wide": Camera(
        "brown", 1920, 1080, 880, 880, 962, 541, (-0.26, 0.09, 1e-3, -5e-4, -0.016, 0, 0, 0)
    ),
    "an action camera, fisheye": Camera(
        "fisheye", 1920, 1440, 860, 860, 960, 720, (0.044, 0.011, -0.009, 0.0012)
    ),
    "a webcam": Camera("brown", 640, 480, 400, 405, 322, 236, (-0.35, 0.15, 1e-3, -2e-3, 0, 0, 0, 0)),
    "a depth camera, rational": Camera(
        "brown", 1280, 720, 605, 605, 637, 366, (0.44, -2.5, 8e-4, -3e-4, 1.44, 0.32, -2.3, 1.36)
    ),
    "a lens that folds": Camera("fisheye", 1920, 1200, 1133, 1128, 961, 601, (-1.15, 2.91, -2.48, 0.18), 4.3),
    "k1 alone": Camera("fisheye", 1000, 1000, 250, 250, 499.5, 499.5, (0.1, 0, 0, 0)),
}
real = pytest.mark.parametrize("camera", REAL.values(), ids=REAL)


def every_px(camera: Camera) -> np.ndarray:
    u, v = np.meshgrid(np.arange(0, camera.width, 3), np.arange(0, camera.height, 3))
    return np.column_stack([u.ravel(), v.ravel()]).astype(float)


def rays_of(plane: np.ndarray) -> np.ndarray:
    return np.column_stack([plane, np.ones(len(plane))])


@real
def test_every_pixel_of_the_image_has_the_ray_that_is_seen_there_or_none(camera):
    pixels = every_px(camera)
    rays = rays_of(camera.unproject(pixels))
    has_ray = np.isfinite(rays).all(axis=1)
    assert has_ray[np.abs(pixels - (camera.cx, camera.cy)).max(axis=1) < 0.2 * camera.height].all()
    np.testing.assert_allclose(camera.project(rays[has_ray]), pixels[has_ray], atol=1e-8)


@real
def test_every_ray_that_is_seen_in_the_image_comes_back_as_it_was(camera):
    angles = np.radians(np.linspace(0.01, 89.99, 2000))
    for turn in np.radians(np.arange(0, 360, 15)):
        points = np.column_stack(
            [np.sin(angles) * np.cos(turn), np.sin(angles) * np.sin(turn), np.cos(angles)]
        )
        pixels = camera.project(points)
        seen = camera.contains(pixels)
        plane = camera.unproject(pixels[seen])
        assert np.isfinite(plane).all()
        back = np.arctan(np.linalg.norm(plane, axis=1))
        np.testing.assert_allclose(np.degrees(back), np.degrees(angles[seen]), atol=1e-5)


@real
def test_pixels_with_rays_lie_within_one_outline(camera):
    """From the principal point outwards, past the first pixel without a ray there is no other with one."""
    for turn in np.radians(np.arange(0, 360, 15)):
        steps = np.linspace(0, 3 * camera.width, 1500)[:, None]
        plane = camera.unproject((camera.cx, camera.cy) + steps * (np.cos(turn), np.sin(turn)))
        has_ray = np.isfinite(plane).all(axis=1)
        assert not (~has_ray[:-1] & has_ray[1:]).any()
        assert (np.diff(np.linalg.norm(plane[has_ray], axis=1)) > 0).all()


def test_a_ray_near_sideways_is_not_taken_for_a_narrower_one():
    camera = REAL["k1 alone"]
    for angle_deg in (70, 80, 84, 88, 89.9):
        angle = np.radians(angle_deg)
        pixels = camera.project([[np.sin(angle), 0, np.cos(angle)]])
        assert np.degrees(np.arctan(camera.unproject(pixels)[0, 0])) == pytest.approx(angle_deg, abs=1e-9)


def test_what_a_fisheye_sees_sideways_or_behind_has_no_ray():
    camera = REAL["k1 alone"]
    beside = np.pi / 2 * (1 + 0.1 * (np.pi / 2) ** 2) * camera.fx
    pixels = np.array([[camera.cx + share * beside, camera.cy] for share in (0.5, 0.99999, 1.00001, 1.2, 5)])
    assert np.isfinite(camera.unproject(pixels)).all(axis=1).tolist() == [True, True, False, False, False]


def test_a_lens_has_no_ray_past_its_fold():
    camera = Camera("brown", 2000, 2000, 500.0, 500.0, 1000.0, 1000.0, (-0.35, 0.03, 0, 0, 0, 0, 0, 0))
    squared = np.min(np.roots([5 * 0.03, 3 * -0.35, 1]))
    fold = np.sqrt(squared) * (1 - 0.35 * squared + 0.03 * squared**2) * 500
    pixels = np.array([[1000 + share * fold, 1000] for share in (0.5, 0.999999, 1.000001, 1.2, 4)])
    assert np.isfinite(camera.unproject(pixels)).all(axis=1).tolist() == [True, True, False, False, False]


coefficients = st.floats(-0.6, 0.6)
tangential = st.floats(-3e-3, 3e-3)


@given(st.tuples(coefficients, coefficients, coefficients, coefficients), st.floats(0, np.pi / 2 - 1e-4))
def test_any_fisheye_inverts_what_it_shows(bending, angle):
    lens = lens_of("fisheye", bending)
    bent = lens.distort(np.array([[np.sin(angle), 0.0, np.cos(angle)]]))
    if np.isfinite(bent).all():
        again = lens.distort(rays_of(lens.undistort(bent)))
        np.testing.assert_allclose(again, bent, atol=1e-12)


@given(
    st.tuples(coefficients, coefficients, tangential, tangential, coefficients, *[st.floats(0, 0.6)] * 3),
    st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)),
)
def test_any_brown_lens_inverts_what_it_shows(bending, place):
    lens = lens_of("brown", bending)
    bent = lens.distort(np.array([[*place, 1.0]]))
    plane = lens.undistort(bent)
    if np.isfinite(plane).all():
        np.testing.assert_allclose(lens.distort(rays_of(plane)), bent, atol=1e-11)
    elif np.isfinite(bent).all():  # only where the tangential part decides about the fold
        nearby = lens.distort(np.array([[*(1.03 * np.array(place)), 1.0]]))
        assert not np.isfinite(nearby).all() or np.abs(lens.undistort(nearby) - place).max() < 0.2


@real
def test_inside_the_fold_rays_are_those_of_opencv(camera):
    rays = np.random.default_rng(0).uniform([-0.3, -0.2, 1], [0.3, 0.2, 1], (50, 3))
    d, nothing = np.array(camera.coefficients), np.zeros(3)
    if camera.model == "fisheye":
        pixels, _ = cv2.fisheye.projectPoints(
            rays[:, None], nothing, nothing, camera.matrix, d, alpha=camera.skew / camera.fx
        )
    else:
        pixels, _ = cv2.projectPoints(rays[:, None], nothing, nothing, camera.matrix, d)
    np.testing.assert_allclose(camera.project(rays), pixels[:, 0], atol=1e-9)
    np.testing.assert_allclose(camera.unproject(pixels[:, 0]), rays[:, :2], atol=1e-9)


@real
def test_pixels_that_are_no_numbers_have_no_ray_and_cause_no_warning(camera):
    pixels = np.array([[np.nan, 1], [10, 10], [1e9, -1e9], [np.nan, np.nan]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plane = camera.unproject(pixels)
        points = np.array([[np.nan, 0, 1], [0, 0, 1], [1, 1, 0], [1, 1, -1], [1e200, 0, 1]])
        projected = camera.project(points)
    assert np.isnan(plane[[0, 3]]).all()
    assert np.isfinite(projected[1]).all() and np.isnan(projected[[0, 2, 3]]).all()


def test_the_lens_of_a_camera_is_set_up_once_for_all_its_sizes():
    camera = REAL["a webcam"]
    assert camera._lens is camera.resized(320, 240)._lens is camera.cropped(10, 10, 100, 100)._lens
