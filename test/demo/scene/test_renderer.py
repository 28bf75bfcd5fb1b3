import dataclasses

import cv2
import numpy as np
import pytest

from reloc_ros.demo.film.trajectories import CAMERA, looking_at, mapping
from reloc_ros.demo.scene.faces import Face
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3

PINHOLE = dataclasses.replace(CAMERA, model="pinhole", coefficients=())
X, DOWN = np.array([1.0, 0, 0]), np.array([0, 0, -1.0])


def wall(colour, y=2.0, size=4.0, x=-2.0, name="wall"):
    """A plain square that looks towards -y, centred on the height 1."""
    texture = np.full((64, 64, 3), colour, np.uint8)
    return Face(name, np.array([x, y, 1 + size / 2]), size * X, size * DOWN, texture)


def spotted_wall(spots, size_px=1200):
    """A black wall with soft white spots at texture pixels (N, 2)."""
    texture = np.zeros((size_px, size_px, 3), np.uint8)
    xs, ys = np.meshgrid(np.arange(size_px), np.arange(size_px))
    for x, y in spots:
        spot = 255 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 9.0**2))
        texture = np.maximum(texture, spot[..., None].astype(np.uint8))
    return dataclasses.replace(wall((0, 0, 0), size=2.4, x=-1.2), texture=texture)


@pytest.mark.parametrize("camera", [CAMERA, PINHOLE], ids=["brown", "pinhole"])
def test_a_texture_feature_is_drawn_where_the_camera_projects_it(camera):
    spots = (
        np.stack(np.meshgrid(np.arange(60, 1200, 120), np.arange(60, 1200, 120)), -1).reshape(-1, 2) + 0.37
    )
    face = spotted_wall(spots)
    renderer = Renderer([face], camera)
    errors = []
    for place in [(0.0, 0.0, 1.0), (0.4, 0.3, 1.2), (-0.6, 0.1, 0.7)]:
        camera_from_map = looking_at(place, (0.05, 2.0, 1.0))
        image = renderer.render(camera_from_map).image[..., 0].astype(float)
        for expected in camera.project(camera_from_map.apply(face.at_texel(spots))):
            if np.all(expected > 16) and np.all(expected < (camera.width - 16, camera.height - 16)):
                x, y = np.rint(expected).astype(int)
                window = np.clip(image[y - 12 : y + 13, x - 12 : x + 13] - 12, 0, None)
                ys, xs = np.mgrid[y - 12 : y + 13, x - 12 : x + 13]
                found = np.array([(window * xs).sum(), (window * ys).sum()]) / window.sum()
                errors.append(np.linalg.norm(found - expected))
    assert len(errors) > 100
    assert np.median(errors) < 0.06
    assert np.max(errors) < 0.15


def test_depth_leads_back_onto_the_face_that_was_seen():
    scene = reading_corner()
    camera_from_map = mapping().camera_from_map[40]
    view = Renderer(scene.faces, CAMERA).render(camera_from_map)
    pixels = np.stack(np.meshgrid(np.arange(640), np.arange(480)), -1).reshape(-1, 2)
    rays = np.column_stack([CAMERA.unproject(pixels), np.ones(len(pixels))])
    points_map = camera_from_map.inverse().apply(rays * view.depths.reshape(-1, 1))
    off_px = []
    for index in np.unique(view.faces):
        face, here = scene.faces[index], view.faces.ravel() == index
        seen = points_map[here] - face.corner_map
        assert np.abs(seen @ face.normal_map).max() < 1e-5
        edges = np.stack([face.right_map, face.down_map], 1)
        places = seen @ edges / np.sum(edges**2, axis=0)
        # Which face a pixel shows is decided on a finer grid, so a border may be off by a part of a pixel.
        nearest_px = CAMERA.project(camera_from_map.apply(face.at(np.clip(places, 0, 1))))
        off_px.append(np.linalg.norm(nearest_px - pixels[here], axis=1))
    assert np.percentile(np.concatenate(off_px), 99.8) < 0.5


def test_the_nearer_face_hides_the_farther_one_whatever_their_order():
    near, far = wall((0, 0, 255), y=1.5, size=0.6, x=-0.3), wall((0, 255, 0), y=2.5)
    camera_from_map = looking_at((0, 0, 1), (0, 2, 1))
    for faces in ([near, far], [far, near]):
        view = Renderer(faces, PINHOLE).render(camera_from_map)
        assert view.image[240, 320].tolist() == [0, 0, 255]
        assert view.image[240, 600].tolist() == [0, 255, 0]
        assert view.depths[240, 320] == pytest.approx(1.5)
        assert view.depths[240, 600] == pytest.approx(2.5)


def test_a_face_is_not_seen_from_behind():
    view = Renderer([wall((255, 255, 255))], CAMERA).render(looking_at((0, 4, 1), (0, 0, 1)))
    assert not view.image.any()
    assert (view.faces == -1).all()
    assert np.isinf(view.depths).all()


def test_faces_that_reach_behind_the_camera_leave_no_holes():
    floor = Face(
        "floor", np.array([-9.0, 9, 0]), 18 * X, np.array([0, -18.0, 0]), np.full((64, 64, 3), 200, np.uint8)
    )
    for height, ahead in ((1.2, 0.9), (0.05, 0.3), (2.0, 0.01)):
        view = Renderer([floor], CAMERA).render(looking_at((0.3, 0.2, height), (0.3, 0.2 + ahead, 0)))
        rays = np.column_stack([CAMERA.unproject([(320, 479), (0, 479), (639, 479)]), np.ones(3)])
        assert (view.faces[479, [0, 320, 639]] == 0).all(), rays
        below_horizon = view.faces == 0
        assert (view.image[cv2.erode(below_horizon.astype(np.uint8), np.ones((5, 5))) > 0] >= 199).all()


def test_the_room_and_its_garden_fill_every_picture():
    scene = reading_corner()
    renderer = Renderer(scene.faces, CAMERA.resized(320, 240), supersampling=1)
    for turn_deg in range(0, 360, 30):
        turn = np.radians(turn_deg)
        view = renderer.render(looking_at((1.9, 0.9, 1.3), (1.9 + np.cos(turn), 0.9 + np.sin(turn), 1.2)))
        assert (view.faces >= 0).all()


def test_the_same_pose_gives_the_same_picture():
    poses = mapping().camera_from_map[:2]
    first, second = (Renderer(reading_corner().faces, CAMERA) for _ in range(2))
    first.render(poses[1])  # an earlier picture leaves no trace
    np.testing.assert_array_equal(first.render(poses[0]).image, second.render(poses[0]).image)


def test_a_small_motion_moves_the_picture_by_as_much_as_the_geometry_says():
    face = spotted_wall([(600.0, 600.0)])
    renderer = Renderer([face], CAMERA)
    before = looking_at((0, 0, 1), (0, 2, 1))
    after = SE3(np.eye(3), np.array([0.001, 0, 0])) @ before  # 0.26 px at 2 m
    centers = []
    for pose in (before, after):
        image = renderer.render(pose).image[..., 0].astype(float)
        centers.append((image.sum(0) @ np.arange(640)) / image.sum())
    assert centers[1] - centers[0] == pytest.approx(0.001 / 2 * CAMERA.fx, abs=0.02)
