"""Further images for a finished map in metres: rendered, so that where they truly were is known."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from moving_picture import write_video
from scenes import noise_image

from reloc_ros.demo.film.trajectories import mapping
from reloc_ros.demo.film.writer import format_tum_pose
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.offline.align.map_frame import align
from reloc_ros.offline.align.sources import AlignSources
from reloc_ros.offline.extending import extend_map as extending
from reloc_ros.offline.extending.extend_map import extend_map
from reloc_ros.offline.mapping.map_images import map_images
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.sources.frame_extraction import read_frame_notes
from reloc_ros.offline.sources.gather import SourceOptions
from reloc_ros.offline.workspace import Workspace

pycolmap = pytest.importorskip("pycolmap")


@pytest.fixture
def finished(photos, mapped, tmp_path):
    """A workspace in the metres and frame of the truth."""
    shutil.copytree(mapped[0].path, tmp_path / "ws")
    rows = [
        f"{name} {format_tum_pose(pose.inverse())}"
        for name, pose in zip(photos.names, photos.camera_from_map, strict=True)
    ]
    (tmp_path / "truth.tum").write_text("\n".join(rows))
    workspace = Workspace.open(tmp_path / "ws")
    align(workspace, AlignSources(trajectory=tmp_path / "truth.tum"))
    return workspace


@pytest.fixture(scope="module")
def more(photos, tmp_path_factory):
    """A folder with six photographs from between, one that the map has, and one of another place; and the truth."""
    folder, truth = tmp_path_factory.mktemp("work") / "more", {}
    folder.mkdir()
    renderer = Renderer(reading_corner().faces, photos.camera)
    for index, pose in enumerate(mapping().camera_from_map[2:32:5]):
        cv2.imwrite(str(folder / f"{index}.jpg"), renderer.render(pose).image)
        truth[f"more/{index}.jpg"] = pose
    shutil.copy(photos.folder / photos.names[2], folder / "same again.jpg")
    cv2.imwrite(str(folder / "nothing.jpg"), noise_image(1, photos.camera.width, photos.camera.height))
    return folder, truth


def errors(model, truth):
    """Metres and degrees of each."""
    poses = dict(zip(model.names, model.camera_from_map, strict=True))
    return np.array(
        [
            (center_error(poses[name], pose), rotation_error_deg(poses[name], pose))
            for name, pose in truth.items()
        ]
    )


@pytest.mark.parametrize("is_known", [True, False])
def test_new_images_are_placed_and_all_that_the_map_held_stays(finished, more, small_sfm, is_known):
    folder, truth = more
    before, held_before = SfmModel.load(finished.model_path), finished.is_held_out(finished.image_names)
    names_before = finished.image_names
    options = small_sfm if is_known else replace(small_sfm, camera=None)
    summary = extend_map([folder], finished, "every:6:1", options)
    model = SfmModel.load(finished.model_path)
    assert set(model.names) == {*before.names, *truth}
    found = errors(model, truth)
    # A lens that is to be found trades its decentring for a turn of all of its pictures.
    assert found[:, 0].max() < 0.02 and found[:, 1].max() < (0.3 if is_known else 0.6)

    for row, name in enumerate(before.names):
        now = model.names.index(name)
        np.testing.assert_array_equal(model.camera_from_map[now].matrix, before.camera_from_map[row].matrix)
        assert model.camera_ids[now] == before.camera_ids[row]
    assert before.cameras.items() <= model.cameras.items()
    assert finished.scale == "metric"
    kept = np.isin(model.point_ids, before.point_ids)
    np.testing.assert_array_equal(model.point_ids[kept], before.point_ids)
    np.testing.assert_array_equal(model.points_map[kept], before.points_map)
    added = model.point_ids[~kept]
    assert len(added) > 50 and added.min() > before.point_ids.max()
    seen_by = np.array(model.names)[
        model.observation_image[np.isin(model.observation_point, np.flatnonzero(kept))]
    ]
    assert set(truth) <= set(seen_by.tolist())  # new images see old points, too

    np.testing.assert_array_equal(finished.is_held_out(names_before), held_before)
    new_held = finished.is_held_out(sorted(truth))
    assert new_held.sum() == 1
    told = " ".join(summary.remarks)
    assert "6 of 7 new images were added" in told and "'more/nothing.jpg'" in told
    assert "'same again.jpg' is its 'photo 002.jpg'" in told
    assert all((finished.images_dir / name).is_file() for name in finished.image_names)

    again = extend_map([folder], finished, "every:6:1", options)
    assert again.was_current and "8 images are in the map already" in again.remarks[0]


def test_a_video_is_added_after_photographs_and_what_they_added_stays(finished, photos, small_sfm, tmp_path):
    renderer, walk = Renderer(reading_corner().faces, photos.camera), mapping().camera_from_map
    (tmp_path / "more").mkdir()
    for index in (7, 12):
        cv2.imwrite(str(tmp_path / "more" / f"{index}.jpg"), renderer.render(walk[index]).image)
    extend_map([tmp_path / "more"], finished, "every:2:1", small_sfm)
    first = SfmModel.load(finished.model_path)
    assert {"more/7.jpg", "more/12.jpg"} <= set(first.names)

    poses = walk[20:26]
    film = write_video(tmp_path / "film.avi", [renderer.render(pose).image for pose in poses])
    summary = extend_map([film], finished, "none", small_sfm, SourceOptions(frames=4))
    second = SfmModel.load(finished.model_path)
    assert "4 of 4 new images were added" in " ".join(summary.remarks)
    frames = sorted(set(second.names) - set(first.names))
    assert len(frames) == 4 and all(name.startswith("film/frame_") for name in frames)
    found = errors(second, {name: poses[int(name[-10:-4])] for name in frames})
    assert found[:, 0].max() < 0.02 and found[:, 1].max() < 0.3

    known = dict(zip(second.names, second.camera_from_map, strict=True))
    for name, pose in zip(first.names, first.camera_from_map, strict=True):
        np.testing.assert_array_equal(known[name].matrix, pose.matrix)
    np.testing.assert_array_equal(
        second.points_map[np.isin(second.point_ids, first.point_ids)], first.points_map
    )
    held = dict(zip(finished.image_names, finished.is_held_out(finished.image_names), strict=True))
    assert sum(held[f"more/{index}.jpg"] for index in (7, 12)) == 1 and not any(held[name] for name in frames)
    assert set(frames) <= read_frame_notes(finished.images_dir).times_ns.keys()


def test_a_map_of_a_given_model_takes_further_images(photos, mapped, more, small_sfm, tmp_path):
    given = mapped[0].path / "sfm" / "sparse" / "0"
    workspace, _ = map_images(photos.folder, tmp_path / "ws", given, "none")
    summary = extend_map([more[0]], workspace, "none", small_sfm)
    assert set(SfmModel.load(workspace.model_path).names) == {*photos.names, *more[1]}
    assert "6 of 7 new images were added" in " ".join(summary.remarks)


def test_a_run_that_is_stopped_leaves_the_map_whole_and_is_taken_up(finished, more, small_sfm, monkeypatch):
    before = finished.model_path.read_bytes(), finished.image_names, finished.images_dir
    with monkeypatch.context() as patched:
        patched.setattr(extending, "write_extended_map", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extend_map([more[0]], finished, "none", small_sfm)
    assert (finished.model_path.read_bytes(), finished.image_names, finished.images_dir) == before
    extend_map([more[0]], finished, "none", small_sfm)
    assert set(more[1]) <= set(SfmModel.load(finished.model_path).names)


def test_only_what_earlier_calls_left_is_removed(tmp_path):
    ours = [
        f"images-{12 * '0'}",
        f"images-{12 * 'a'}",
        f"more/matches-{12 * '0'}",
        f"more/matches-{12 * 'f'}",
    ]
    for name in (*ours, "images-of-monday", "more/matches-by-hand"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "images-of-tuesday.zip").touch()
    extending._tidy(tmp_path, tmp_path / ours[0], tmp_path / ours[2])
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} - {"more"}
    assert left == {ours[0], ours[2], "images-of-monday", "more/matches-by-hand", "images-of-tuesday.zip"}


def test_images_of_another_place_are_refused_and_the_map_stays(finished, photos, small_sfm, tmp_path):
    (tmp_path / "else").mkdir()
    for seed in range(2):
        picture = noise_image(seed, photos.camera.width, photos.camera.height)
        cv2.imwrite(str(tmp_path / "else" / f"{seed}.png"), picture)
    before = finished.model_path.read_bytes()
    with pytest.raises(RelocError, match="none of the 2 new images found a place"):
        extend_map([tmp_path / "else"], finished, "none", small_sfm)
    assert finished.model_path.read_bytes() == before


def test_the_verb_says_what_it_does_not_take(finished, refused, tmp_path):
    given = "map", tmp_path, "--add", "-w"
    assert "leave --model out" in refused(*given, finished.path, "--model", tmp_path)
    assert "not a workspace" in refused(*given, tmp_path / "none")


def test_what_is_there_already_is_said_and_nothing_done(finished, photos, small_sfm):
    summary = extend_map([photos.folder], finished, "none", small_sfm)
    assert summary.was_current and "12 images are in the map already" in summary.remarks[0]
