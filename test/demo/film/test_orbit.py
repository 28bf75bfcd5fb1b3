import numpy as np
import pytest

from reloc_ros.demo.film.orbit import shared_shares, triangulate_film
from reloc_ros.demo.film.trajectories import CAMERA, orbit
from reloc_ros.demo.film.writer import film
from reloc_ros.demo.scene.cluttered_room import MIDDLE_MAP, cluttered_room
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.offline.model.colmap_files import read_colmap


def test_the_orbit_keeps_its_distance_and_each_view_shows_a_small_part_of_the_room():
    scene, poses = cluttered_room(), orbit(MIDDLE_MAP).camera_from_map
    assert len(poses) == 120
    some = poses[::10]
    renderer = Renderer(scene.faces, CAMERA.resized(80, 60), supersampling=1)
    for pose in some:
        view = renderer.render(pose)
        assert (view.faces >= 0).all() and view.depths.min() > 0.35
    shares = shared_shares(scene, some)
    np.testing.assert_allclose(np.diag(shares), 1)
    assert np.median(shares) < 0.2 and (shares == 0).mean() > 0.2


def test_neighbours_on_the_orbit_overlap():
    shares = shared_shares(cluttered_room(), orbit(MIDDLE_MAP).camera_from_map[50:66])
    assert min(shares[i, i + 1] for i in range(len(shares) - 1)) > 0.4


@pytest.mark.slow
def test_points_of_the_posed_map_lie_on_the_faces_of_the_room(tmp_path):
    scene, trajectory = cluttered_room(), orbit(MIDDLE_MAP).part(slice(6))
    film(tmp_path, scene, trajectory, video=False)
    triangulate_film(tmp_path / "images", tmp_path / "model", scene, trajectory)
    model = read_colmap(tmp_path / "model")
    assert len(model.names) == 6 and len(model.points_map) > 500
    renderer = Renderer(scene.faces, CAMERA, supersampling=1)
    for index, pose in enumerate(trajectory.camera_from_map):
        np.testing.assert_allclose(model.camera_from_map[index].center, pose.center, atol=1e-6)
        points = model.points_map[model.observation_point[model.observation_image == index]]
        x, y = np.rint(CAMERA.project(pose.apply(points))).astype(int).clip(0, (639, 479)).T
        depths = renderer.render(pose).depths[y, x]
        assert np.median(np.abs(pose.apply(points)[:, 2] / depths - 1)) < 0.01
