import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, Camera, center_error, pose_adjoint, rotation_error_deg


def vectors(limit: float) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, 3, elements=st.floats(-limit, limit))


ANGLES = st.one_of(st.floats(0, np.pi), st.floats(0, 1e-6), st.floats(np.pi - 1e-6, np.pi))


@st.composite
def transforms(draw) -> SE3:
    axis = draw(vectors(1).filter(lambda v: np.linalg.norm(v) > 0.1))
    return SE3.from_rotation_vector(axis / np.linalg.norm(axis) * draw(ANGLES), draw(vectors(100)))


def assert_same(a: SE3, b: SE3, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(a.matrix, b.matrix, atol=tolerance)


@given(transforms())
def test_rotation_is_orthonormal_and_right_handed(a_from_b):
    np.testing.assert_allclose(a_from_b.rotation @ a_from_b.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(a_from_b.rotation) == pytest.approx(1)


@given(transforms())
def test_identity_changes_nothing_on_either_side(a_from_b):
    assert_same(SE3.identity() @ a_from_b, a_from_b)
    assert_same(a_from_b @ SE3.identity(), a_from_b)


@given(transforms())
def test_inverse_undoes_on_either_side(a_from_b):
    assert_same(a_from_b @ a_from_b.inverse(), SE3.identity())
    assert_same(a_from_b.inverse() @ a_from_b, SE3.identity())


@given(transforms(), transforms(), transforms())
def test_composition_is_associative(a_from_b, b_from_c, c_from_d):
    assert_same((a_from_b @ b_from_c) @ c_from_d, a_from_b @ (b_from_c @ c_from_d))


@given(transforms(), transforms(), vectors(100))
def test_composition_applies_the_right_transform_first(a_from_b, b_from_c, point_c):
    together = (a_from_b @ b_from_c).apply(point_c[None])
    np.testing.assert_allclose(together, a_from_b.apply(b_from_c.apply(point_c[None])), atol=1e-9)


@given(transforms())
def test_quaternion_goes_there_and_back(a_from_b):
    quaternion = a_from_b.quaternion_wxyz
    assert np.linalg.norm(quaternion) == pytest.approx(1) and quaternion[0] >= 0
    assert_same(SE3.from_quaternion_wxyz(quaternion, a_from_b.translation), a_from_b)


@given(transforms(), st.floats(1e-3, 1e3), st.sampled_from([-1, 1]))
def test_scaled_or_negated_quaternion_is_the_same_rotation(a_from_b, scale, sign):
    scaled = sign * scale * a_from_b.quaternion_wxyz
    assert_same(SE3.from_quaternion_wxyz(scaled, a_from_b.translation), a_from_b)


@given(transforms())
def test_rotation_vector_goes_there_and_back(a_from_b):
    rotation_vector = a_from_b.rotation_vector
    assert np.linalg.norm(rotation_vector) <= np.pi + 1e-9
    assert_same(SE3.from_rotation_vector(rotation_vector, a_from_b.translation), a_from_b)


@pytest.mark.parametrize("angle_rad", [0, 1e-12, 1e-8, 1e-6, 1e-5, 1e-3])
def test_rotation_vector_keeps_its_digits_near_identity(angle_rad):
    given_vector = angle_rad * np.array([1, -2, 2]) / 3
    found = SE3.from_rotation_vector(given_vector, np.zeros(3)).rotation_vector
    np.testing.assert_allclose(found, given_vector, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("axis", range(3))
def test_quaternion_turns_counter_clockwise_about_its_axis(axis):
    quaternion = np.zeros(4)
    quaternion[[0, 1 + axis]] = np.sqrt(0.5)
    turned = SE3.from_quaternion_wxyz(quaternion, np.zeros(3)).apply(np.eye(3))
    np.testing.assert_allclose(turned[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3], atol=1e-12)


def test_quaternion_of_norm_zero_is_refused():
    with pytest.raises(ValueError, match="norm"):
        SE3.from_quaternion_wxyz([0, 0, 0, 0], [0, 0, 0])


@given(transforms())
def test_center_is_where_the_origin_of_a_lies_in_b(a_from_b):
    np.testing.assert_allclose(a_from_b.apply(a_from_b.center[None]), np.zeros((1, 3)), atol=1e-9)


@given(transforms())
def test_matrix_goes_there_and_back_and_shares_no_memory(a_from_b):
    matrix = a_from_b.matrix
    copy = SE3.from_matrix(matrix)
    matrix[:] = 0
    assert_same(copy, a_from_b, 0)


@given(transforms(), st.one_of(st.floats(1e-9, 3.1), st.floats(1e-9, 1e-6)), vectors(1))
def test_rotation_error_is_the_angle_between_two_rotations(a_from_b, angle_rad, axis):
    norm = np.linalg.norm(axis)
    if norm < 0.1:
        return
    turned = SE3.from_rotation_vector(angle_rad * axis / norm, np.zeros(3)) @ a_from_b
    assert rotation_error_deg(turned, a_from_b) == pytest.approx(np.degrees(angle_rad), rel=1e-5, abs=1e-12)


@given(transforms(), vectors(10))
def test_center_error_is_the_distance_between_the_cameras(camera_from_map, step_map):
    moved = SE3(camera_from_map.rotation, -camera_from_map.rotation @ (camera_from_map.center + step_map))
    assert center_error(moved, camera_from_map) == pytest.approx(np.linalg.norm(step_map), abs=1e-9)


@given(transforms(), vectors(1), vectors(1))
def test_adjoint_moves_a_small_twist_to_the_other_frame(a_from_b, velocity, turn):
    def exponential(twist: np.ndarray) -> np.ndarray:
        return np.eye(4) + np.block(
            [[_skew(twist[3:]), twist[:3, None]], [np.zeros((1, 4))]]
        )  # first order is all the adjoint means

    twist_b = np.concatenate([velocity, turn])
    moved = a_from_b.matrix @ exponential(twist_b) @ a_from_b.inverse().matrix
    np.testing.assert_allclose(exponential(pose_adjoint(a_from_b) @ twist_b), moved, atol=1e-9)


def _skew(v: np.ndarray) -> np.ndarray:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


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
    if camera.model == "fisheye":
        expected, _ = cv2.fisheye.projectPoints(
            points[:, None], rotation_vector, translation, camera.matrix, d
        )
    else:
        expected, _ = cv2.projectPoints(points[:, None], rotation_vector, translation, camera.matrix, d)
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-9)


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


COLMAP = {
    "SIMPLE_PINHOLE": ([500, 320, 240], (500, 500), []),
    "PINHOLE": ([500, 510, 320, 240], (500, 510), []),
    "SIMPLE_RADIAL": ([500, 320, 240, 0.1], (500, 500), [0.1, 0, 0, 0]),
    "RADIAL": ([500, 320, 240, 0.1, -0.2], (500, 500), [0.1, -0.2, 0, 0]),
    "OPENCV": ([500, 510, 320, 240, 0.1, -0.2, 1e-3, 2e-3], (500, 510), [0.1, -0.2, 1e-3, 2e-3]),
    "FULL_OPENCV": (
        [500, 510, 320, 240, 0.1, -0.2, 1e-3, 2e-3, 0.01, 0.02, 0.03, 0.04],
        (500, 510),
        [0.1, -0.2, 1e-3, 2e-3, 0.01, 0.02, 0.03, 0.04],
    ),
    "OPENCV_FISHEYE": ([500, 510, 320, 240, 0.1, -0.02, 1e-3, 2e-3], (500, 510), [0.1, -0.02, 1e-3, 2e-3]),
}


@pytest.mark.parametrize("name", COLMAP)
def test_colmap_model_projects_as_the_opencv_model_it_is_named_after(name):
    params, (fx, fy), d = COLMAP[name]
    camera = Camera.from_colmap(name, 640, 480, params)
    points = np.random.default_rng(1).uniform([-0.4, -0.3, 0.9], [0.4, 0.3, 2], (20, 3))
    k = np.array([[fx, 0, 320.0], [0, fy, 240.0], [0, 0, 1]])
    project = cv2.fisheye.projectPoints if name == "OPENCV_FISHEYE" else cv2.projectPoints
    expected, _ = project(points[:, None], np.zeros(3), np.zeros(3), k, np.array(d, dtype=float))
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-9)


def test_unsupported_and_mismatched_colmap_models_are_refused():
    with pytest.raises(RelocError, match="THIN_PRISM_FISHEYE is not supported"):
        Camera.from_colmap("THIN_PRISM_FISHEYE", 640, 480, [1.0] * 12)
    with pytest.raises(RelocError, match="OPENCV has 8 parameters, got 4"):
        Camera.from_colmap("OPENCV", 640, 480, [500, 500, 320, 240])


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
