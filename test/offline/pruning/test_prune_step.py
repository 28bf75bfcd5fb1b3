"""Walks past a map of which some landmarks have moved: these are left out, of whatever comes after, and no others."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
import report_workspace as made
from synthetic_model import look_at

from reloc_ros.bundle import Bundle, NetworkShape, write_bundle
from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localized, Localizer
from reloc_ros.offline import steps
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.pruning.judge import Judgement
from reloc_ros.offline.pruning.prune_step import prune_step
from reloc_ros.offline.pruning.pruned import lasting_model, read_pruned, undo_prune
from reloc_ros.offline.report.collect import collect
from reloc_ros.offline.report.page import render
from reloc_ros.offline.sources.photographs import PhotoFolder

COUNT, MOVED = 48, (3, 10, 11, 30)
STEP, MAPPED, WALKED = 9, 13, 14
"""A picture of one grey is the view from the pose of that number, times the step: the map's, then the walk's."""


class Oracle:
    """Finds the landmarks where they are, those that moved elsewhere in the walk; black pictures show none."""

    name, any_size, attempts = "oracle", False, 1

    def __init__(self, landmarks, camera, poses):
        self.landmarks, self.camera, self.poses = landmarks, camera, poses

    def infer(self, image, attempt=0):
        number = round(image[image.shape[0] // 2, image.shape[1] // 2, 0] / STEP) - 1
        found = np.zeros((len(self.landmarks), 4), np.float32)
        if number >= 0:
            found[:, :2] = self.camera.project(self.poses[number].apply(self.landmarks.positions_map))
            found[:, 2:] = (0.9, 0.5)
            if number >= MAPPED:
                found[MOVED, 0] += 60
        return found


@pytest.fixture
def workspace(tmp_path):
    workspace = made.make_workspace(tmp_path)
    steps.select_step(workspace, COUNT)
    steps.label_step(workspace, "depth")
    for number, name in enumerate(workspace.image_names):
        draw(workspace.images_dir / name, number)
    return workspace


def draw(file, number):
    cv2.imwrite(str(file), np.full((480, 640, 3), STEP * (number + 1), np.uint8))


@pytest.fixture
def localizer(workspace):
    model, landmarks = SfmModel.load(workspace.model_path), Landmarks.load(workspace.landmarks_path)
    angles = np.linspace(0.05, 1.95, WALKED)
    centers = np.column_stack([4 * np.cos(angles), 4 * np.sin(angles), np.full(WALKED, 1.1)])
    poses = [*model.camera_from_map, *(look_at(center, np.zeros(3)) for center in centers)]
    camera = model.main_camera
    shape = NetworkShape("none", len(landmarks), camera.width, camera.height)
    bundle = Bundle(workspace.path, "unknown", camera, shape, landmarks, {}, {})
    return Localizer(bundle, Oracle(landmarks, camera, poses))


def walk(folder, numbers):
    folder.mkdir()
    for place, number in enumerate(numbers):
        draw(folder / f"{place:02}.png", number)
    return PhotoFolder(folder)


THE_WALK = range(MAPPED, MAPPED + WALKED)


def test_what_moved_is_left_out_by_everything_that_comes_after_until_it_is_taken_back(
    workspace, localizer, tmp_path
):
    landmarks = Landmarks.load(workspace.landmarks_path)
    done = prune_step(workspace, localizer, [walk(tmp_path / "tuesday", THE_WALK)])
    assert np.flatnonzero(done.judged.gone).tolist() == list(MOVED)
    assert done.views == WALKED and not done.notices
    pruned, gone = read_pruned(workspace), landmarks.ids[list(MOVED)]
    assert pruned.ids.tolist() == gone.tolist() and {each.walk for each in pruned.landmarks} == {"tuesday"}
    assert pruned.rows_of(landmarks).tolist() == list(MOVED)
    assert not np.isin(lasting_model(workspace, pruned).point_ids, gone).any()

    steps.select_step(workspace, None, add=True)
    now = Landmarks.load(workspace.landmarks_path)
    assert not np.isin(now.ids, gone).any()
    assert now.ids[: COUNT - len(MOVED)].tolist() == np.delete(landmarks.ids, MOVED).tolist()

    undo_prune(workspace)
    pruned = read_pruned(workspace)
    assert not pruned.landmarks and gone[0] in lasting_model(workspace, pruned).point_ids


def test_a_second_walk_adds_to_what_the_first_left_out(workspace, localizer, tmp_path):
    prune_step(workspace, localizer, [walk(tmp_path / "tuesday", THE_WALK)])
    first = read_pruned(workspace)
    ignoring = dataclasses.replace(localizer.bundle, ignored=MOVED)
    again = Localizer(ignoring, localizer.backend)
    done = prune_step(workspace, again, [walk(tmp_path / "wednesday", THE_WALK)])
    assert not done.judged.gone.any() and not done.judged.looked[list(MOVED)].any()
    assert read_pruned(workspace) == first


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([-1] * 12, "0 of 12 images"),
        ([*range(MAPPED, MAPPED + 4)], "from 4 viewpoints"),
        ([MAPPED + 2] * 20, "from 1 viewpoints"),
        ([*THE_WALK, *[-1] * 60], "14 of 74 images"),
    ],
)
def test_a_walk_that_shows_too_little_changes_nothing(workspace, localizer, tmp_path, numbers, told):
    with pytest.raises(RelocError, match=f"nothing is left out: .*{told}"):
        prune_step(workspace, localizer, [walk(tmp_path / "walk", numbers)])
    assert not workspace.pruned_path.exists()


@pytest.mark.parametrize("gone", [25, 40])
def test_where_most_have_moved_or_too_few_would_be_left_nothing_is_left_out(
    workspace, localizer, tmp_path, monkeypatch, gone
):
    counts = np.full(COUNT, 12)
    judged = Judgement(counts, 0 * counts, 1.0 * counts, np.full(COUNT, True), np.arange(COUNT) < gone)
    monkeypatch.setattr("reloc_ros.offline.pruning.prune_step.judge", lambda *_: judged)
    with pytest.raises(
        RelocError, match=f"nothing is left out: {gone} of .* would go, and {COUNT - gone} would be"
    ):
        prune_step(workspace, localizer, [walk(tmp_path / "walk", THE_WALK)])
    assert not workspace.pruned_path.exists()


def test_a_walk_that_does_not_count_is_told_and_the_others_are_used(workspace, localizer, tmp_path):
    walks = [walk(tmp_path / "dark", [-1] * 12), walk(tmp_path / "tuesday", THE_WALK)]
    done = prune_step(workspace, localizer, walks)
    (notice,) = done.notices
    assert "dark" in notice and done.judged.gone.sum() == len(MOVED)


def test_the_report_rings_what_has_moved(workspace, localizer, tmp_path):
    assert "What has moved since" not in render(collect(workspace))
    prune_step(workspace, localizer, [walk(tmp_path / "tuesday", THE_WALK)])
    page = render(collect(workspace))
    assert "4 landmarks were not found where walks of other days (tuesday)" in page
    assert page.count("landmarks that have moved or gone ringed") >= 1
    assert all(f"{each} (found in 0 of" in page for each in read_pruned(workspace).ids)


def test_a_damaged_note_is_refused_with_the_way_out(workspace):
    workspace.pruned_path.write_text('{"format": 1}')
    with pytest.raises(RelocError, match="reloc prune --undo"):
        read_pruned(workspace)
    workspace.pruned_path.write_text('{"format": 9}')
    with pytest.raises(RelocError, match="format 9"):
        read_pruned(workspace)


def ignoring(bundle: Bundle, rows, path) -> Bundle:
    """A bundle of the same landmarks, written to a path, that ignores some."""
    return write_bundle(
        path,
        scale="unknown",
        camera=bundle.camera,
        network=bundle.network,
        landmarks=bundle.landmarks,
        made_from={},
        write_models=lambda _: None,
        ignored=rows,
    )


def test_a_bundle_carries_what_to_ignore_and_the_localizer_uses_none_of_it(localizer, tmp_path):
    written = ignoring(localizer.bundle, MOVED, tmp_path / "b")
    assert written.ignored == MOVED
    image = np.full((480, 640, 3), STEP * (MAPPED + 3), np.uint8)
    with_all = localizer.localize(image)
    without = Localizer(written, localizer.backend).localize(image)
    assert isinstance(with_all, Localized) and isinstance(without, Localized)
    assert set(MOVED) <= set(with_all.keypoints.landmarks.tolist())
    assert not set(MOVED) & set(without.keypoints.landmarks.tolist())
    by_hand = Localizer(written, localizer.backend).localize_keypoints(image, with_all.keypoints)
    assert not set(MOVED) & set(by_hand.keypoints.landmarks.tolist())


def test_a_bundle_that_ignores_what_there_is_not_is_refused(localizer, tmp_path):
    with pytest.raises(RelocError, match="ignores landmarks that there are not"):
        ignoring(localizer.bundle, [COUNT], tmp_path / "b")


def test_what_is_exported_depends_on_what_is_left_out(workspace, localizer, tmp_path):
    before = steps._bundle_inputs(workspace)
    prune_step(workspace, localizer, [walk(tmp_path / "tuesday", THE_WALK)])
    assert steps._bundle_inputs(workspace).keys() - before.keys() == {"pruned"}
    assert json.loads(workspace.pruned_path.read_text())["format"] == 1
    undo_prune(workspace)
    assert steps._bundle_inputs(workspace) == before


def test_the_command_tells_each_landmark_and_takes_it_back(
    workspace, localizer, tmp_path, reloc, monkeypatch
):
    monkeypatch.setattr(steps, "own_bundle", lambda *_: localizer.bundle.path)
    monkeypatch.setattr(Localizer, "from_bundle", lambda *_, **__: localizer)
    folder = walk(tmp_path / "tuesday", THE_WALK).path
    code, printed = reloc("prune", "-w", workspace.path, folder)
    assert code == 0 and f"{COUNT} of {COUNT} landmarks were looked for often enough" in printed
    for row in MOVED:
        assert f"landmark {localizer.bundle.landmarks.ids[row]} at (" in printed
    assert printed.count(": found in 0 of ") == len(MOVED)
    assert reloc("prune", "-w", workspace.path, "--undo")[0] == 0
    assert not workspace.pruned_path.exists()
