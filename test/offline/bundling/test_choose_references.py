from dataclasses import replace

import cv2
import numpy as np
import pytest
from scenes import noise_image
from synthetic_model import make_model

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.offline.bundling import choose_references as module
from reloc_ros.offline.bundling.choose_references import (
    choose_sightings,
    estimate_normals,
    make_references,
    order_views,
)
from reloc_ros.refinement.references import References


@pytest.fixture(scope="module")
def model():
    return make_model(images=9, points=400, camera="brown")


@pytest.fixture(scope="module")
def images_dir(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for i, name in enumerate(model.names):
        cv2.imwrite(str(folder / name), noise_image(i, 640, 480))
    return folder


@pytest.fixture(scope="module")
def references(model, images_dir) -> References:
    return make_references(model, images_dir)


def test_points_are_seen_where_the_map_saw_them(references):
    assert len(references.files) == 9 and len(references.seen_view) > 1000
    for view, (camera, pose) in enumerate(zip(references.cameras, references.camera_from_map, strict=True)):
        mine = references.seen_view == view
        projected = camera.project(pose.apply(references.points_map[references.seen_point[mine]]))
        np.testing.assert_allclose(projected, references.seen_px[mine], atol=1e-6)


def test_points_bring_what_their_observations_leave_open():
    model = make_model(images=9, points=400, noise_px=0.5)
    assert model.track_lengths.min() < 3  # such ones are not among them
    chosen = choose_sightings(model, np.arange(len(model.observation_point)))
    references = module._gather(
        model, chosen, {i: b"" for i in range(9)}, dict.fromkeys(range(9), model.camera(0))
    )
    rows = [
        int(np.flatnonzero((model.points_map == point).all(axis=1))[0]) for point in references.points_map
    ]
    np.testing.assert_allclose(references.covariances_map, model.covariances_map[rows], rtol=1e-6)


def test_views_bring_the_poses_from_which_the_map_looks_alike(model, images_dir, caplog):
    likes = {2: model.camera_from_map[:2], 7: model.camera_from_map[5:6]}
    alike = make_references(model, images_dir, lambda image: likes.get(image, ()))
    assert alike.like_view.tolist() == [2, 2, 7]
    assert alike.like_camera_from_map == (*likes[2], *likes[7])
    assert "2 of 9 reference views" in caplog.text


def test_large_photographs_become_small_pictures_with_the_camera_of_their_size(
    model, images_dir, monkeypatch
):
    monkeypatch.setattr(module, "WIDTH", 320)
    small = make_references(model, images_dir)
    assert {(camera.width, camera.height) for camera in small.cameras} == {(320, 240)}
    assert all(picture.shape == (240, 320) for picture in map(small.picture, range(9)))
    view = int(small.seen_view[0])
    point = small.points_map[small.seen_point[:1]]
    projected = small.cameras[view].project(small.camera_from_map[view].apply(point))
    np.testing.assert_allclose(projected, small.seen_px[:1], atol=1e-6)


def test_pictures_are_the_photographs_in_grey(references, images_dir, model):
    for picture, name in zip(map(references.picture, range(9)), model.names, strict=True):
        grey = cv2.imread(str(images_dir / name), cv2.IMREAD_GRAYSCALE)
        assert np.abs(picture.astype(int) - grey).mean() < 2


def test_bytes_are_kept_to_by_leaving_out_views(references, model, images_dir, monkeypatch):
    sizes = sum(map(len, references.files))
    monkeypatch.setattr(module, "MAX_BYTES", sizes // 2)
    fewer = make_references(model, images_dir)
    assert 2 <= len(fewer.files) < 9 and sum(map(len, fewer.files)) <= sizes // 2
    assert set(fewer.files) < set(references.files)
    assert np.unique(fewer.seen_view).tolist() == list(range(len(fewer.files)))
    assert np.unique(fewer.seen_point).tolist() == list(range(len(fewer.points_map)))


def test_beyond_enough_bytes_only_views_with_something_new_are_taken(
    references, model, images_dir, monkeypatch
):
    enough = sum(map(len, references.files)) // 3
    monkeypatch.setattr(module, "ENOUGH_BYTES", enough)
    monkeypatch.setattr(module, "ENOUGH_NEW", 1e9)
    fewer = make_references(model, images_dir).files
    assert len(fewer) < 9 and sum(map(len, fewer)) > enough
    monkeypatch.setattr(module, "ENOUGH_NEW", 0)
    assert make_references(model, images_dir).files == references.files


def test_views_that_would_show_something_new_but_have_no_room_are_told(
    references, model, images_dir, monkeypatch, caplog
):
    monkeypatch.setattr(module, "MAX_BYTES", 3 * len(references.files[0]))
    make_references(model, images_dir)
    assert "each of the others has up to" in caplog.text


def test_no_room_or_no_good_point_gives_no_references(model, images_dir, monkeypatch):
    wrong = replace(model, errors_px=np.full(len(model.points_map), 3.0))
    assert make_references(wrong, images_dir) is None
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    assert make_references(model, images_dir) is None


def test_the_views_that_see_what_no_other_does_come_first(model):
    """Two images that saw the same points, and one of all others: it is never the last."""
    halves = np.where(model.observation_point < 200, model.observation_image % 2, 2)
    three = replace(model, observation_image=halves.astype(np.int32))
    order = [image for image, _ in order_views(three, np.arange(len(halves)))]
    assert sorted(order) == [0, 1, 2] and order[2] != 2


def test_the_order_is_that_of_looking_at_all_images_each_time(model):
    seen = [model.observation_point[model.observations_of(image)] for image in range(9)]
    times, left, expected = np.zeros(len(model.points_map)), set(range(9)), []
    while left:
        gains = {image: float((0.5 ** times[seen[image]]).sum()) for image in left}
        best = min(left, key=lambda image: (-gains[image], image))
        expected.append((best, gains[best]))
        times[seen[best]] += 1
        left.remove(best)
    assert list(order_views(model, np.arange(len(model.observation_point)))) == expected


def test_what_is_kept_of_an_image_spreads_over_it(model, monkeypatch):
    monkeypatch.setattr(module, "SIGHTINGS_PER_VIEW", 40)
    everything = np.arange(len(model.observation_point))
    rows = choose_sightings(model, everything)
    assert np.bincount(model.observation_image[rows]).tolist() == [40] * 9
    for image in range(9):
        cells = [
            np.unique(
                (model.observation_px[kept & (model.observation_image == image)] + 0.5) // (64, 48), axis=0
            )
            for kept in (np.isin(everything, rows), np.ones(len(everything), bool))
        ]
        assert len(cells[0]) == min(40, len(cells[1]))


def test_normals_of_points_on_a_plane_are_the_planes():
    model = make_model(images=8, points=300, camera="pinhole")
    normal = np.array([0.8, 0.6, 0.0])  # about where the cameras are
    flat = model.points_map - (model.points_map @ normal)[:, None] * normal
    normals = estimate_normals(replace(model, points_map=flat))
    np.testing.assert_allclose(normals @ normal, 1, atol=1e-6)


def test_normals_of_points_in_a_cloud_face_the_cameras():
    model = make_model(images=8, points=300, camera="pinhole")
    normals = estimate_normals(model)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-9)
    middle = np.mean(model.centers_map, axis=0)
    rays = middle - model.points_map
    cosines = np.einsum("pi,pi->p", normals, rays / np.linalg.norm(rays, axis=1, keepdims=True))
    assert np.median(cosines) > 0.7


def test_a_photograph_of_another_size_is_refused(model, images_dir):
    other = replace(model, cameras={1: Camera("pinhole", 800, 600, 500.0, 500.0, 400.0, 300.0)})
    with pytest.raises(RelocError, match="640x480, but the map was made from 800x600"):
        make_references(other, images_dir)
