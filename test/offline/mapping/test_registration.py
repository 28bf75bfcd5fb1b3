"""Points for poses that are given, and poses for images that a map was made without."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scenes import noise_image
from synthetic_model import make_model, write_colmap_text

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.align.trajectory import Poses, Trajectory
from reloc_ros.offline.align.trajectory_fit import fit_trajectory
from reloc_ros.offline.mapping import attempts
from reloc_ros.offline.mapping.map_images import map_images
from reloc_ros.offline.mapping.registration import place_in_model, relocate_each
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.model.sfm import SfmModel

pycolmap = pytest.importorskip("pycolmap")


def feed_forward(photos, poses=None, count=12):
    """The photographs' model as networks write them: a camera for each image, and points that one image each sees."""
    poses = (photos.camera_from_map if poses is None else poses)[:count]
    px = np.tile([[100.0, 80.0], [200.0, 150.0]], (count, 1))
    image = np.repeat(np.arange(count), 2)
    rays = np.column_stack([photos.camera.unproject(px), np.ones(len(px))])
    points = np.array(
        [poses[i].inverse().apply(2 * ray[None])[0] for i, ray in zip(image, rays, strict=True)]
    )
    return SfmModel(
        cameras={i + 1: photos.camera for i in range(count)},
        names=photos.names[:count],
        camera_ids=np.arange(1, count + 1, dtype=np.int32),
        camera_from_map=tuple(poses),
        points_map=points,
        point_ids=np.arange(1, len(points) + 1),
        colors=np.zeros((len(points), 3), np.uint8),
        errors_px=np.zeros(len(points)),
        observation_point=np.arange(len(points), dtype=np.int32),
        observation_image=image.astype(np.int32),
        observation_px=px,
    )


@pytest.fixture(scope="module")
def options(small_sfm):
    return replace(small_sfm, camera=None)


@pytest.fixture(scope="module")
def anew(photos, options, tmp_path_factory):
    """What map_images was given for a model without tracks, and what it made of it."""
    root = tmp_path_factory.mktemp("anew")
    write_colmap_text(feed_forward(photos), root / "colmap")
    given = photos.folder, root / "ws", root / "colmap", "every:6:3", options
    with pytest.raises(RelocError, match=r"none that two of its images see.*--retriangulate"):
        map_images(*given)
    assert not (root / "ws").exists()
    return given, *map_images(*given, retriangulate=True)


def with_its_matches(anew, workspace):
    """A workspace that was interrupted when it had matched the same images of the same cameras."""
    shutil.copytree(anew[1].path / "sfm", workspace / "sfm")
    return workspace


def test_a_model_without_tracks_gets_points_and_keeps_its_poses(photos, anew):
    given, workspace, summary = anew
    model = SfmModel.load(workspace.model_path)
    assert model.names == photos.names and set(model.cameras.values()) == {photos.camera}
    for pose, true_pose in zip(model.camera_from_map, photos.camera_from_map, strict=True):
        np.testing.assert_allclose(pose.matrix, true_pose.matrix, atol=1e-9)
    assert summary.points > 500 and summary.mean_error_px < 1 and summary.mean_track_length > 3
    assert summary.grade in ("good", "usable")
    assert (workspace.path / "sfm" / "sparse" / "0" / "points3D.bin").is_file()
    assert map_images(*given, retriangulate=True)[1].was_current


def test_poses_without_any_points_get_some(photos, options, anew, tmp_path):
    write_colmap_text(feed_forward(photos), tmp_path / "colmap")
    (tmp_path / "colmap" / "points3D.txt").unlink()
    ws = with_its_matches(anew, tmp_path / "ws")
    _, summary = map_images(photos.folder, ws, tmp_path / "colmap", "none", options, retriangulate=True)
    assert summary.points > 500


@pytest.mark.slow
def test_poses_of_some_of_the_images_are_enough(photos, options, tmp_path):
    write_colmap_text(feed_forward(photos, count=8), tmp_path / "colmap")
    _, summary = map_images(
        photos.folder, tmp_path / "ws", tmp_path / "colmap", "none", options, retriangulate=True
    )
    assert summary.registered == 8 and summary.images == 12


@pytest.mark.parametrize("shift_m", [0.3, 5])
def test_poses_that_are_not_those_of_the_images_are_refused(photos, options, anew, tmp_path, shift_m):
    rng = np.random.default_rng(0)
    shifts = [SE3(np.eye(3), shift) for shift in rng.normal(0, shift_m, (12, 3))]
    wrong = [shift @ pose for shift, pose in zip(shifts, photos.camera_from_map, strict=True)]
    write_colmap_text(feed_forward(photos, wrong), tmp_path / "colmap")
    ws = with_its_matches(anew, tmp_path / "ws")
    with pytest.raises(RelocError, match=r"poses.*leave --model out"):
        map_images(photos.folder, ws, tmp_path / "colmap", "none", options, retriangulate=True)
    assert not (ws / "workspace.json").exists()


def test_held_out_images_are_placed_in_a_map_that_was_finished_without_them(
    photos, small_sfm, tmp_path, monkeypatch
):
    finished = []

    def watched(folder, database, groups):
        finished.append(read_colmap(folder))
        return place_in_model(folder, database, groups)

    monkeypatch.setattr(attempts, "place_in_model", watched)
    given = photos.folder, tmp_path / "ws", None, "every:6:3", small_sfm
    workspace, summary = map_images(*given, holdout_strict=True)
    model, (before,) = SfmModel.load(workspace.model_path), finished
    held = [photos.names[i] for i in (3, 9)]
    assert set(before.names) == set(photos.names) - set(held)
    assert model.names == photos.names and summary.held_out == 2 and summary.models == 1
    np.testing.assert_array_equal(model.points_map, before.points_map)
    kept = [model.names.index(name) for name in before.names]
    np.testing.assert_allclose(model.translations[kept], before.translations, atol=1e-12)
    assert any("2 of 2 held-out images were placed in the finished map" in told for told in summary.remarks)
    assert not any("bundle adjustment" in told for told in summary.remarks)
    trajectory = Trajectory(photos.names, Poses.of(pose.inverse() for pose in photos.camera_from_map), True)
    metric_from_sfm = fit_trajectory(model, trajectory).map_from_sfm
    true_centers = np.array([pose.center for pose in photos.camera_from_map])
    assert np.linalg.norm(metric_from_sfm.apply(model.centers_map) - true_centers, axis=1).max() < 0.01
    assert map_images(*given, holdout_strict=True)[1].was_current
    _, usual = map_images(*given)
    assert not usual.was_current and len(finished) == 1


@pytest.mark.slow
def test_a_held_out_image_of_another_place_is_left_out_and_said(photos, small_sfm, tmp_path):
    shutil.copytree(photos.folder, tmp_path / "photos")
    cv2.imwrite(
        str(tmp_path / "photos" / photos.names[3]), noise_image(1, photos.camera.width, photos.camera.height)
    )
    workspace, summary = map_images(
        tmp_path / "photos", tmp_path / "ws", None, "every:6:3", small_sfm, holdout_strict=True
    )
    assert summary.registered == 11 and summary.held_out == 1
    assert any("1 of 2 held-out images were placed" in told for told in summary.remarks)
    assert photos.names[3] not in SfmModel.load(workspace.model_path).names


@pytest.mark.slow
def test_a_camera_that_the_map_does_not_know_places_nothing_unless_it_is_given(photos, small_sfm, tmp_path):
    """Its focal length would be a guess, and the poses wrong by it."""
    sources = [tmp_path / "day", tmp_path / "evening"]
    for source, names in zip(sources, (photos.names[:8], photos.names[8:]), strict=True):
        source.mkdir()
        for name in names:
            shutil.copy(photos.folder / name, source)
    unknown = replace(small_sfm, camera=None)
    _, summary = map_images(sources, tmp_path / "ws", None, "last:4", unknown, holdout_strict=True)
    assert summary.registered == 8 and summary.held_out == 0
    assert any("0 of 4 held-out" in told and "--camera" in told for told in summary.remarks), summary.remarks
    _, summary = map_images(sources, tmp_path / "ws", None, "last:4", small_sfm, holdout_strict=True)
    assert summary.registered == 12 and summary.mean_error_px < 0.5


def test_the_default_says_that_held_out_images_took_part(mapped):
    assert any(
        "took part in bundle adjustment" in told and "--holdout-strict" in told for told in mapped[1].remarks
    )


def test_options_that_contradict_each_other_are_refused(photos, tmp_path, refused):
    write_colmap_text(feed_forward(photos), tmp_path / "colmap")
    (tmp_path / "camera.txt").write_text("1 PINHOLE 640 480 500 500 320 240\n")
    model = "--model", tmp_path / "colmap"
    given = "map", photos.folder, "-w", tmp_path / "ws"
    assert "name it with --model" in refused(*given, "--retriangulate")
    assert "leave one out" in refused(*given, *model, "--holdout-strict")
    assert "leave --camera" in refused(*given, *model, "--camera", tmp_path / "camera.txt")
    assert "--retriangulate" in refused(*given, *model)
    assert not (tmp_path / "ws").exists()


def test_a_model_whose_names_end_at_a_space_says_why_it_does_not_fit(photos, tmp_path):
    model = feed_forward(photos)
    whole = tuple(f"photo.{i} of the room.jpg" for i in range(12))
    (tmp_path / "photos").mkdir()
    for name, other in zip(photos.names, whole, strict=True):
        shutil.copy(photos.folder / name, tmp_path / "photos" / other)
    write_colmap_text(replace(model, names=tuple(f"photo.{i}" for i in range(12))), tmp_path / "colmap")
    with pytest.raises(RelocError, match=r"12 images that .* lacks.*first space.*rename"):
        map_images(tmp_path / "photos", tmp_path / "ws", tmp_path / "colmap", "none", retriangulate=True)


@pytest.mark.parametrize("camera", ["brown", "fisheye"])
def test_the_others_place_each_image_of_a_right_model_where_it_is(camera):
    found = relocate_each(make_model(points=300, noise_px=0.5, camera=camera))
    assert not found.disagrees.any() and (found.points > 100).all()
    assert found.off_shares.max() < 0.01 and found.off_deg.max() < 0.3


def test_an_image_in_the_wrong_place_is_the_one_that_disagrees_with_the_others():
    model = make_model(points=300, noise_px=0.5)
    away = SE3.from_rotation_vector(np.array([0.0, 0.1, 0.0]), np.array([0.5, 0.0, 0.0]))
    poses = tuple(away @ pose if i == 4 else pose for i, pose in enumerate(model.camera_from_map))
    found = relocate_each(replace(model, camera_from_map=poses))
    assert np.flatnonzero(found.disagrees).tolist() == [4]
    assert found.off_deg[4] == pytest.approx(np.degrees(0.1), abs=0.2) and found.inliers[4] > 100


def test_an_image_whose_points_hardly_any_other_sees_is_not_held_to_disagree():
    model = make_model(points=300)
    lonely = (model.observation_image != 4) | (model.observation_point < 20)
    found = relocate_each(model.keep_observations(lonely))
    assert found.points[4] <= 20 and not found.disagrees.any()


def test_a_model_of_one_image_is_not_held_to_disagree():
    model = make_model(points=50)
    lonely = model.keep_points(np.isin(np.arange(50), model.observation_point[model.observation_image == 0]))
    alone = replace(lonely, observation_image=np.zeros_like(lonely.observation_image))
    assert not relocate_each(alone).disagrees.any()


def as_colmap(model, moved, folder):
    """A COLMAP model some of whose images were carried off; points are seen from one side alone."""
    away = SE3.from_rotation_vector(np.array([0.0, 0.4, 0.0]), np.array([0.8, 0.0, 0.0]))
    poses = tuple(pose @ away if i in moved else pose for i, pose in enumerate(model.camera_from_map))
    is_moved = np.isin(model.observation_image, moved)
    halves = replace(model, camera_from_map=poses).keep_observations(~is_moved)
    write_colmap_text(halves.keep_points(halves.track_lengths >= 2), folder)
    return folder


@pytest.fixture(scope="module")
def given(photos, anew, tmp_path_factory):
    """A function that gives a model, some of its images moved, to map_images; the matches are found once."""
    model = SfmModel.load(anew[1].model_path)
    root = tmp_path_factory.mktemp("given")

    def give(moved, name):
        if name != "right":
            shutil.copytree(root / "right" / "judged" / "matches", root / name / "judged" / "matches")
        colmap = as_colmap(model, moved, root / f"{name} model")
        return map_images(photos.folder, root / name, colmap, "none")

    return give, give([], "right")


def test_a_given_model_that_is_right_stays_as_it_is(photos, given, anew):
    workspace, summary = given[1]
    assert SfmModel.load(workspace.model_path).names == photos.names
    assert summary.grade == anew[2].grade and summary.advice == anew[2].advice


def test_an_image_of_a_given_model_that_its_matches_contradict_is_named(photos, given):
    workspace, summary = given[0]([4], "one moved")
    assert photos.names[4] not in SfmModel.load(workspace.model_path).names
    assert summary.advice[0] == f"1 images disagree with the rest and are left out: '{photos.names[4]}'"


def test_a_given_model_that_is_folded_is_never_called_good(given):
    _, summary = given[0](range(7, 12), "folded")
    assert summary.grade == "poor" and "contradict the model" in summary.advice[0]
