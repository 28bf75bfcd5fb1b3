import dataclasses
import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError

CAMERAS = {
    "pinhole": Camera("pinhole", 640, 480, 500.0, 510.0, 322.0, 236.0),
    "brown, webcam": Camera(
        "brown", 640, 480, 400.0, 405.0, 322.0, 236.0, (-0.35, 0.15, 1e-3, -2e-3, 0, 0, 0, 0)
    ),
    "brown, pincushion": Camera(
        "brown", 640, 480, 400.0, 405.0, 322.0, 236.0, (0.1, 0.05, 0, 0, 0.01, 0, 0, 0)
    ),
    "brown, rational": Camera(
        "brown", 640, 480, 400.0, 405.0, 322.0, 236.0, (0.4, 0.1, 1e-4, 1e-4, 0.01, 0.6, 0.15, 0.02)
    ),
    "fisheye": Camera("fisheye", 640, 480, 300.0, 301.0, 322.0, 236.0, (0.02, -0.01, 1e-3, 1e-4)),
    "skewed": Camera("brown", 640, 480, 400.0, 405.0, 322.0, 236.0, (-0.2, 0.05, 0, 0, 0, 0, 0, 0), 4.3),
}
cameras = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)


def grid_px(camera: Camera, columns: int = 13) -> np.ndarray:
    u, v = np.meshgrid(
        np.linspace(-0.5, camera.width - 0.5, columns), np.linspace(-0.5, camera.height - 0.5, columns)
    )
    return np.column_stack([u.ravel(), v.ravel()])


@cameras
def test_every_pixel_unprojects_and_projects_back(camera):
    pixels = grid_px(camera)
    plane = camera.unproject(pixels)
    for depth in (0.1, 1.0, 30.0):
        rays = depth * np.column_stack([plane, np.ones(len(plane))])
        np.testing.assert_allclose(camera.project(rays), pixels, atol=1e-6)


@cameras
def test_projection_is_that_of_opencv(camera):
    points = np.random.default_rng(0).uniform([-0.5, -0.4, 0.9], [0.5, 0.4, 3], (50, 3))
    rotation_vector = translation = np.zeros(3)
    d = np.array(camera.coefficients)
    project = cv2.fisheye.projectPoints if camera.model == "fisheye" else cv2.projectPoints
    bent, _ = project(points[:, None], rotation_vector, translation, np.eye(3), d)  # it knows of no skew
    expected = bent[:, 0] @ camera.matrix[:2, :2].T + camera.matrix[:2, 2]
    np.testing.assert_allclose(camera.project(points), expected, atol=1e-9)


@cameras
def test_axis_projects_to_the_principal_point(camera):
    np.testing.assert_allclose(camera.project([[0, 0, 2.0]]), [[camera.cx, camera.cy]], atol=1e-12)


@cameras
def test_points_beside_and_behind_the_camera_have_no_pixel(camera):
    points = [[0, 0, -1.0], [0.1, 0.1, -1.0], [1, 0, 0], [0, 0, 0]]
    assert np.isnan(camera.project(points)).all()
    assert not camera.contains(camera.project(points)).any()


@cameras
def test_no_points_project_to_no_pixels(camera):
    assert camera.project(np.zeros((0, 3))).shape == (0, 2)
    assert camera.unproject(np.zeros((0, 2))).shape == (0, 2)


FOLDING = {
    "soon": Camera("brown", 640, 480, 400.0, 400.0, 320.0, 240.0, (-0.35, 0.03, 0, 0, 0, 0, 0, 0)),
    "late": Camera("brown", 640, 480, 300.0, 300.0, 320.0, 240.0, (-0.02, 0, 0, 0, 0, 0, 0, 0)),
    "pole": Camera("brown", 640, 480, 300.0, 300.0, 320.0, 240.0, (0, 0, 0, 0, 0, -0.01, 0, 0)),
    "fisheye": Camera("fisheye", 640, 480, 200.0, 200.0, 320.0, 240.0, (-0.3, 0, 0, 0)),
}


@pytest.mark.parametrize("camera", FOLDING.values(), ids=FOLDING)
def test_a_pixel_belongs_to_one_direction_only(camera):
    tangents = np.concatenate([np.linspace(0, 5, 1001), np.geomspace(5.01, 1e6, 1001)])
    rays = np.column_stack([tangents, np.zeros_like(tangents), np.ones_like(tangents)])
    u = camera.project(rays)[:, 0]
    seen = np.isfinite(u)
    assert seen[0] and not seen[-1]
    assert (np.diff(u[seen]) > 0).all()  # what is further out is further out in the image
    assert not (~seen[:-1] & seen[1:]).any()  # and what is past the edge of vision stays past it


@cameras
@given(width=st.integers(1, 3000), height=st.integers(1, 3000))
def test_resizing_scales_pixel_edges(camera, width, height):
    pixels = grid_px(camera, 5)
    rays = np.column_stack([camera.unproject(pixels), np.ones(len(pixels))])
    scale = np.array([width / camera.width, height / camera.height])
    resized = camera.resized(width, height)
    assert (resized.width, resized.height) == (width, height)
    np.testing.assert_allclose(resized.project(rays), (pixels + 0.5) * scale - 0.5, atol=1e-5)


def test_resized_camera_sees_what_opencv_resizes():
    camera = CAMERAS["pinhole"]
    u, v = np.meshgrid(np.arange(640, dtype=np.float32), np.arange(480, dtype=np.float32))
    ramps = np.dstack([u, v])  # each pixel holds its own place
    small = cv2.resize(ramps, (160, 120), interpolation=cv2.INTER_AREA)
    ray = [*camera.unproject([[323.5, 239.5]])[0], 1]
    x, y = camera.resized(160, 120).project([ray])[0]
    assert (x, y) == (pytest.approx(80.5), pytest.approx(59.5))
    np.testing.assert_allclose(small[59:61, 80:82].mean(axis=(0, 1)), [323.5, 239.5], atol=1e-3)


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.floats(0.05, 20),
    st.sampled_from([np.floor, np.ceil, np.round]),
)
def test_a_camera_serves_images_of_its_own_aspect_in_any_resolution(width, height, scale, rounded):
    camera = Camera("pinhole", width, height, 500.0, 500.0, 10.0, 10.0)
    size = (max(int(rounded(width * scale)), 1), max(int(rounded(height * scale)), 1))
    assert camera.for_image(*size) == camera.resized(*size)


def test_a_camera_serves_no_image_that_was_cropped():
    camera = CAMERAS["brown, webcam"]
    assert camera.for_image(640, 480) is camera
    for size in [(640, 478), (638, 480), (640, 360), (480, 640), (1280, 956), (320, 238), (160, 118)]:
        assert camera.for_image(*size) is None


@cameras
@given(
    x=st.integers(-50, 600), y=st.integers(-50, 400), width=st.integers(1, 640), height=st.integers(1, 480)
)
def test_cropping_shifts_pixels(camera, x, y, width, height):
    pixels = grid_px(camera, 5)
    rays = np.column_stack([camera.unproject(pixels), np.ones(len(pixels))])
    cropped = camera.cropped(x, y, width, height)
    assert (cropped.width, cropped.height) == (width, height)
    np.testing.assert_allclose(cropped.project(rays), pixels - [x, y], atol=1e-6)


def test_image_reaches_half_a_pixel_around_its_outer_pixel_centres():
    camera = CAMERAS["pinhole"]
    pixels = [[-0.5, -0.5], [639.4, 479.4], [-0.6, 0], [0, -0.6], [639.5, 0], [0, 479.5], [np.nan, np.nan]]
    assert camera.contains(pixels).tolist() == [True, True, False, False, False, False, False]


@cameras
def test_camera_goes_to_json_and_back(camera):
    assert Camera.from_json(json.loads(json.dumps(camera.to_json()))) == camera


@pytest.mark.parametrize(
    "change",
    [
        {"fx": None},
        {"fx": "wide"},
        {"coefficients": 3},
        {"width": []},
        {"model": []},
        {"model": "cubic"},
        {"coefficients": [1.0]},
        {"fy": 0},
        {"fy": -100},
        {"cx": float("nan")},
        {"width": 0},
    ],
)
def test_malformed_json_is_refused_with_a_sentence(change):
    data = CAMERAS["brown, webcam"].to_json() | change
    with pytest.raises(RelocError, match="camera"):
        Camera.from_json(data)


@pytest.mark.parametrize("data", [{}, [], "camera", None])
def test_json_of_another_kind_is_refused_with_a_sentence(data):
    with pytest.raises(RelocError, match="camera entry is malformed"):
        Camera.from_json(data)


K = (500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0)
ROS = {
    "plumb_bob": [0.1, -0.2, 1e-3, 2e-3, 0.05],
    "rational_polynomial": [0.1, -0.2, 1e-3, 2e-3, 0.05, 0.02, 0.03, 0.04],
    "equidistant": [0.1, -0.02, 1e-3, 2e-3],
}


@pytest.mark.parametrize("name", ROS)
def test_ros_model_projects_as_opencv_does(name):
    camera = Camera.from_ros(name, 640, 480, K, ROS[name])
    points = np.random.default_rng(1).uniform([-0.4, -0.3, 0.9], [0.4, 0.3, 2], (20, 3))
    project = cv2.fisheye.projectPoints if name == "equidistant" else cv2.projectPoints
    expected, _ = project(
        points[:, None], np.zeros(3), np.zeros(3), np.reshape(K, (3, 3)), np.array(ROS[name])
    )
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-9)


def test_plumb_bob_of_four_coefficients_has_no_third_radial_one():
    assert Camera.from_ros("plumb_bob", 640, 480, K, [0.1, 0, 0, 0]) == Camera.from_ros(
        "plumb_bob", 640, 480, K, [0.1, 0, 0, 0, 0]
    )


@pytest.mark.parametrize("name", ["", "plumb_bob", "equidistant", "made up"])
@pytest.mark.parametrize("d", [[], [0.0] * 5])
def test_camera_info_without_distortion_is_a_pinhole(name, d):
    assert Camera.from_ros(name, 640, 480, K, d) == Camera("pinhole", 640, 480, 500.0, 510.0, 320.0, 240.0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"k": [0.0] * 9}, "all zeros"),
        ({"k": [1.0] * 4}, "9 numbers, got 4"),
        ({"k": (0.0, *K[1:])}, "above zero"),
        ({"k": (-1.0, *K[1:])}, "above zero"),
        ({"k": (np.nan, *K[1:])}, "finite"),
        ({"d": [np.nan] * 5}, "finite"),
        ({"d": [0.1, 0.1]}, "plumb_bob has 4 or 5 coefficients, got 2"),
        ({"distortion_model": "cubic"}, "'cubic' is not supported"),
        ({"width": 0}, "0x480"),
        ({"height": 0}, "640x0"),
    ],
)
def test_impossible_camera_info_is_refused_with_a_sentence(change, sentence):
    info = {"distortion_model": "plumb_bob", "width": 640, "height": 480, "k": K, "d": ROS["plumb_bob"]}
    with pytest.raises(RelocError, match=sentence):
        Camera.from_ros(**(info | change))


@pytest.mark.parametrize(
    ("name", "d", "model", "coefficients"),
    [
        (
            "plumb_bob",
            [0.1, -0.2, 1e-3, 2e-3, 0.05, 0, 0, 0],
            "brown",
            [0.1, -0.2, 1e-3, 2e-3, 0.05, 0, 0, 0],
        ),
        ("plumb_bob", [0.1, -0.2, 1e-3, 2e-3, *[0] * 10], "brown", [0.1, -0.2, 1e-3, 2e-3, 0, 0, 0, 0]),
        ("equidistant", [0.1, 0.2, 0.3, 0.4, 0], "fisheye", [0.1, 0.2, 0.3, 0.4]),
        ("rational_polynomial", [0.1, 0.2, 0, 0], "brown", [0.1, 0.2, 0, 0, 0, 0, 0, 0]),
        ("rational_polynomial", [0.1, 0.2, 0, 0, 0.3], "brown", [0.1, 0.2, 0, 0, 0.3, 0, 0, 0]),
        ("rational_polynomial", [*range(1, 9), 0, 0, 0, 0], "brown", [*range(1, 9)]),
        ("rational_polynomial", [*range(1, 9), *[0] * 6], "brown", [*range(1, 9)]),
        ("", [0.1, -0.2, 1e-3, 2e-3, 0.05], "brown", [0.1, -0.2, 1e-3, 2e-3, 0.05, 0, 0, 0]),
        ("", [0.1, -0.2, 1e-3, 2e-3, 0.05, 0, 0, 0], "brown", [0.1, -0.2, 1e-3, 2e-3, 0.05, 0, 0, 0]),
    ],
)
def test_zeros_beyond_a_models_coefficients_do_not_matter(name, d, model, coefficients):
    camera = Camera.from_ros(name, 640, 480, K, d)
    assert (camera.model, camera.coefficients) == (model, tuple(map(float, coefficients)))


@pytest.mark.parametrize(
    ("name", "d", "sentence"),
    [
        ("plumb_bob", [0.1, 0, 0, 0, 0, 0, 0, 1.5], "number 8 of the 8 in D is 1.5, not zero"),
        ("equidistant", [0.1, 0, 0, 0, -0.25], "number 5 of the 5 in D is -0.25"),
        ("rational_polynomial", [0.1] * 8 + [0, 0, 0, 0, 0.03, 0], "number 13 of the 14 in D is 0.03"),
        ("", [0.1, 0, 0, 0, 0, 0, 0, 0.5], r"plumb_bob \(none is named\).*number 8 of the 8 in D is 0.5"),
        ("", [0.1, 0.1, 0, 0], "names no distortion model.*plumb_bob's or equidistant's"),
        ("rational_polynomial", [0.1] * 6, "4 or 5 or 8 coefficients, got 6"),
        ("double_sphere", [0.1] * 2, "'double_sphere' is not supported.*undistort the images"),
    ],
)
def test_coefficients_that_the_model_does_not_have_are_refused_by_their_number(name, d, sentence):
    with pytest.raises(RelocError, match=sentence):
        Camera.from_ros(name, 640, 480, K, d)


def test_skew_moves_pixels_sideways_as_they_go_down():
    skewed = Camera.from_ros("plumb_bob", 640, 480, (500, 4.0, 320, 0, 510, 240, 0, 0, 1), [])
    np.testing.assert_allclose(
        skewed.project([[0.1, 0.2, 1]]), [[500 * 0.1 + 4 * 0.2 + 320, 510 * 0.2 + 240]]
    )
    np.testing.assert_array_equal(skewed.matrix, [[500, 4, 320], [0, 510, 240], [0, 0, 1]])
    with pytest.raises(RelocError, match="finite"):
        Camera.from_ros("plumb_bob", 640, 480, (500, np.nan, 320, 0, 510, 240, 0, 0, 1), [])


def test_two_cameras_differ_by_how_far_apart_they_put_a_ray():
    camera = CAMERAS["pinhole"]
    assert camera.shift_px(camera) == 0
    longer = dataclasses.replace(camera, fx=1.02 * camera.fx)
    assert camera.shift_px(longer) == pytest.approx(0.02 * camera.cx)


@pytest.mark.parametrize(
    "changes",
    [
        {"fx": 1e12},
        {"fy": 1e-12},
        {"cx": -1e12},
        {"coefficients": (1e12, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)},
        {"skew": 1e12},
        {"width": 1 << 21},
        {"height": 1 << 21},
    ],
    ids=str,
)
def test_numbers_that_no_camera_has_are_refused(changes):
    sound = Camera("brown", 640, 480, 500.0, 500.0, 319.5, 239.5, (0.1,) + (0.0,) * 7)
    with pytest.raises(RelocError, match=r"no camera has these intrinsics|above zero pixels"):
        dataclasses.replace(sound, **changes)
