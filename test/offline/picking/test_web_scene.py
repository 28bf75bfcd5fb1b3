import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_model import CAMERAS, look_at, make_model

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.similarity import Similarity

pytest.importorskip("viser", reason="viser is not installed: pip install 'reloc_ros[web]'")
from reloc_ros.offline.picking.web import quietly, serve
from reloc_ros.offline.picking.web_guard import Guard
from reloc_ros.offline.picking.web_scene import BULK, FOV, Scene, fitted_fov, frame_scene

MODEL = make_model(images=12, points=300)


def turned(seed: int, scale: float):
    """The model in a frame of its own, and that frame's up."""
    rotation = SE3.from_rotation_vector(np.random.default_rng(seed).normal(0, 2, 3), np.zeros(3)).rotation
    return MODEL.transformed(Similarity(scale, rotation, np.array([5.0, -3, 2]))), rotation[:, 2]


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_the_bulk_of_the_cloud_fills_the_view_from_the_side_of_the_cameras(seed, scale):
    model, up = turned(seed, scale)
    frame = frame_scene(model, metric=False)
    assert frame.up @ up > 0.9  # the cameras look down a little
    offsets = model.points_map - frame.eye
    ahead = (frame.center - frame.eye) / np.linalg.norm(frame.center - frame.eye)
    angles = np.arccos(np.clip(offsets @ ahead / np.linalg.norm(offsets, axis=1), -1, 1))
    assert np.mean(angles <= FOV / 2) >= BULK - 0.01
    assert np.quantile(angles, BULK) > FOV / 2 / 2
    assert (model.centers_map.mean(axis=0) - frame.center) @ -ahead > 0
    assert 0.2 < -ahead @ frame.up < 0.7  # from above, and not from the top


def test_in_metres_up_is_z():
    model, _ = turned(3, 1.0)
    np.testing.assert_array_equal(frame_scene(model, metric=True).up, [0, 0, 1])


@pytest.mark.parametrize("center", [[4.0, 0, 0], [0.0, 0, 0], [0.0, 0, 4.0]])
def test_one_place_to_stand_is_enough(center):
    """Also in the middle of the points, and straight above."""
    pose = look_at(np.add(center, [1e-9, 0, 0]), np.array([0.0, 0.1, 0]))
    model = dataclasses.replace(MODEL, camera_from_map=(pose,) * 12)
    frame = frame_scene(model, metric=True)
    assert np.isfinite(frame.eye).all() and np.linalg.norm(frame.eye - frame.center) > frame.radius


@given(
    st.floats(0.2, 5), st.sampled_from([*CAMERAS.values(), Camera("pinhole", 480, 640, 510, 500, 240, 320)])
)
def test_a_window_of_any_shape_shows_all_of_a_photograph(aspect, camera):
    down = np.tan(fitted_fov(camera, aspect) / 2) / (camera.height / 2 / camera.fy)
    across = np.tan(fitted_fov(camera, aspect) / 2) * aspect / (camera.width / 2 / camera.fx)
    assert 1 < min(down, across) < 1.1


@pytest.fixture
def server():
    server = serve(Guard("127.0.0.1"), 0)
    yield server
    with quietly():
        server.stop()


def test_a_map_in_projected_coordinates_is_shown_about_an_origin_in_it(server):
    """In single precision its points would be on a grid of half a metre."""
    utm = np.array([500_123.0, 4_649_876.0, 120.0])
    far = MODEL.transformed(Similarity(1.0, np.eye(3), utm))
    scene = Scene(server, far, np.arange(300), metric=True)
    np.testing.assert_allclose(scene.cloud.points + scene.origin - utm, MODEL.points_map, rtol=0, atol=1e-6)
    scene.show_landmarks(far.points_map[:5])
    np.testing.assert_allclose(scene.landmarks.points + scene.origin - utm, MODEL.points_map[:5], atol=1e-6)
    scene.show_focus(far.points_map[7], [0])
    np.testing.assert_allclose(scene.focus.points + scene.origin - utm, MODEL.points_map[7:8], atol=1e-6)
    centers = np.array([camera.position for camera in scene.cameras]) + scene.origin
    np.testing.assert_allclose(centers, far.centers_map, rtol=0, atol=1e-6)
    assert np.abs(scene.frame.eye).max() < 100


def test_a_map_near_its_origin_is_shown_as_it_is(server):
    scene = Scene(server, MODEL, np.arange(300), metric=True)
    np.testing.assert_array_equal(scene.origin, 0)
    np.testing.assert_allclose(scene.cloud.points, MODEL.points_map, atol=1e-6)
