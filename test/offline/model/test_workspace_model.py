"""Cleaning and aligning a workspace in which landmarks are selected and labelled."""

import json

import cv2
import numpy as np
import pytest
from scenes import noise_image
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline import steps
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.model.workspace_model import (
    STEPS_OF_ANY_FRAME,
    RemovedPoints,
    forget_edits,
    frame_summary,
    map_from_sfm,
    map_model,
    removed_points,
    write_map_frame,
    write_removed_points,
)
from reloc_ros.offline.workspace import Workspace

ONE = Similarity(
    0.4, SE3.from_rotation_vector([0.3, -1.0, 0.2], np.zeros(3)).rotation, np.array([1.0, 2, -3])
)
OTHER = Similarity(
    2.5, SE3.from_rotation_vector([2.0, 0.1, 0.5], np.zeros(3)).rotation, np.array([0, -1.0, 4])
)


def facts(similarity: Similarity) -> dict:
    return {"map_from_sfm": similarity.to_json(), "origin": "o", "axes": "a", "scale": [], "up": []}


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    model = make_model(images=10, points=300, camera="pinhole", noise_px=0.3)
    images = tmp_path / "images"
    images.mkdir()
    for i, name in enumerate(model.names):
        cv2.imwrite(str(images / name), noise_image(i, 640, 480))
    workspace = Workspace.create(tmp_path / "ws", images, model.names, "every:5:2")
    model.save(workspace.model_path)
    return workspace


@pytest.fixture
def labelled(workspace) -> Workspace:
    steps.select_step(workspace, 12)
    steps.label_step(workspace, "depth")
    return workspace


def is_current(workspace: Workspace) -> tuple[bool, bool]:
    """Whether the landmarks and the labels are those of the map as it is."""
    times = [file.stat().st_mtime_ns for file in (workspace.landmarks_path, workspace.labels_path)]
    steps.select_step(workspace, 12)
    steps.label_step(workspace, "depth")
    after = [file.stat().st_mtime_ns for file in (workspace.landmarks_path, workspace.labels_path)]
    return tuple(a == b for a, b in zip(times, after, strict=True))


def test_model_and_landmarks_move_together_and_labels_stay_valid(labelled):
    before, landmarks = SfmModel.load(labelled.model_path), Landmarks.load(labelled.landmarks_path)
    labels = labelled.labels_path.read_bytes()
    write_map_frame(labelled, facts(ONE), "metric")
    moved, now = Landmarks.load(labelled.landmarks_path), SfmModel.load(labelled.model_path)
    np.testing.assert_allclose(now.points_map, ONE.apply(before.points_map), atol=1e-12)
    np.testing.assert_allclose(moved.positions_map, ONE.apply(landmarks.positions_map), atol=1e-12)
    np.testing.assert_allclose(moved.directions_map, landmarks.directions_map @ ONE.rotation.T, atol=1e-12)
    np.testing.assert_array_equal(moved.ids, landmarks.ids)
    assert labelled.scale == "metric"
    assert is_current(labelled) == (True, True)
    assert labelled.labels_path.read_bytes() == labels


def test_moved_landmarks_still_project_to_their_labels(labelled):
    write_map_frame(labelled, facts(ONE), "metric")
    model, landmarks = SfmModel.load(labelled.model_path), Landmarks.load(labelled.landmarks_path)
    labels = Labels.load(labelled.labels_path)
    for row, name in enumerate(labels.names):
        image = model.names.index(name)
        pixels = model.camera(image).project(model.camera_from_map[image].apply(landmarks.positions_map))
        np.testing.assert_allclose(labels.keypoints_px[row], pixels, atol=1e-3)


def test_moving_again_replaces_the_first_move_and_moving_back_is_exact(labelled):
    model, landmarks = SfmModel.load(labelled.model_path), Landmarks.load(labelled.landmarks_path)
    original = labelled.model_path.read_bytes()
    write_map_frame(labelled, facts(ONE), "metric")
    write_map_frame(labelled, facts(OTHER), "metric")
    now = Landmarks.load(labelled.landmarks_path)
    np.testing.assert_allclose(now.positions_map, OTHER.apply(landmarks.positions_map), atol=1e-10)
    np.testing.assert_allclose(
        SfmModel.load(labelled.model_path).points_map, OTHER.apply(model.points_map), atol=1e-12
    )
    write_map_frame(labelled, facts(Similarity.identity()), "unknown")
    assert labelled.model_path.read_bytes() == original and labelled.scale == "unknown"
    assert is_current(labelled) == (True, True)


def test_what_was_out_of_date_stays_so(labelled):
    write_removed_points(
        labelled, RemovedPoints(SfmModel.load(labelled.model_path).point_ids[:40], ("x",) * 40), {}
    )
    write_map_frame(labelled, facts(ONE), "metric")
    with pytest.raises(RelocError, match="changed after its landmarks were chosen"):
        steps.label_step(labelled, "depth")
    assert is_current(labelled) == (False, False)


def test_a_bundle_is_of_its_frame_and_a_calibration_is_not(workspace):
    for step in ("bundle", "calibrate"):
        workspace.record(step, {"model": workspace.model_path})
    write_map_frame(workspace, facts(ONE), "metric")
    assert not workspace.is_current("bundle", {"model": workspace.model_path})
    assert workspace.is_current("calibrate", {"model": workspace.model_path})
    assert "bundle" not in STEPS_OF_ANY_FRAME


def test_removed_points_are_noticed_and_putting_them_back_makes_all_current_again(labelled):
    original = labelled.model_path.read_bytes()
    ids = SfmModel.load(labelled.model_path).point_ids
    write_removed_points(labelled, RemovedPoints(ids[5:9], ("a", "b", "a", "b")), {})
    assert not set(SfmModel.load(labelled.model_path).point_ids) & set(ids[5:9])
    assert removed_points(labelled).reasons == ("a", "b", "a", "b")
    facts_now = json.loads((labelled.path / "workspace.json").read_text())["steps"]
    assert not labelled.is_current("select", {}) and "clean" in facts_now
    write_removed_points(labelled, RemovedPoints.none(), {})
    assert labelled.model_path.read_bytes() == original
    assert is_current(labelled) == (True, True)


def test_landmarks_of_a_map_before_it_was_cleaned_are_not_labelled(labelled):
    ids = SfmModel.load(labelled.model_path).point_ids
    write_removed_points(labelled, RemovedPoints(ids[:40], ("x",) * 40), {})
    with pytest.raises(RelocError, match="the map changed after its landmarks were chosen"):
        steps.label_step(labelled, "depth")
    steps.select_step(labelled, 12)
    steps.label_step(labelled, "depth")


def test_cleaning_and_aligning_do_not_depend_on_their_order(workspace):
    ids = SfmModel.load(workspace.model_path).point_ids[::7]
    removed = RemovedPoints(ids, ("x",) * len(ids))
    write_removed_points(workspace, removed, {})
    write_map_frame(workspace, facts(ONE), "metric")
    one_way = workspace.model_path.read_bytes()
    write_removed_points(workspace, RemovedPoints.none(), {})
    write_removed_points(workspace, removed, {})
    assert workspace.model_path.read_bytes() == one_way
    assert workspace.scale == "metric"


def test_a_new_map_begins_without_the_edits_of_the_old_one(workspace):
    write_map_frame(workspace, facts(ONE), "metric")
    write_removed_points(workspace, RemovedPoints(np.array([5]), ("x",)), {})
    forget_edits(workspace)
    assert map_from_sfm(workspace).scale == 1 and len(removed_points(workspace).ids) == 0


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 1}', '{"format": 7}'])
def test_a_damaged_map_frame_is_refused(workspace, text):
    workspace.map_frame_path.write_text(text)
    with pytest.raises(RelocError, match=r"map_frame\.json"):
        map_from_sfm(workspace)


def test_the_summary_for_a_bundle_names_the_sources():
    assert "reconstruction" in frame_summary(None)["origin"]
    scale = {"source": "tape", "metres_per_unit": 2.0, "standard_error": 0.1, "used": 3}
    summary = frame_summary(facts(ONE) | {"scale": [scale]})
    assert summary["scale"] == {"source": "tape", "metres_per_unit": 2.0, "standard_error": 0.1}
    assert "up" not in summary


def test_what_the_map_may_know_is_worked_out_once(workspace, monkeypatch):
    first = map_model(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(SfmModel, "without", None)
        again = map_model(workspace)
    for field in ("points_map", "point_ids", "errors_px", "observation_image", "observation_px"):
        np.testing.assert_array_equal(getattr(again, field), getattr(first, field))
    assert again.names == first.names and again.cameras == first.cameras


def test_what_the_map_may_know_follows_the_map_and_the_hold_out(workspace):
    first = map_model(workspace)
    write_map_frame(workspace, facts(ONE), "metric")
    moved = map_model(workspace)
    np.testing.assert_allclose(moved.points_map, ONE.apply(first.points_map), rtol=1e-6, atol=1e-6)
    (file,) = workspace.path.glob("model_known-*.npz")  # that of the frame before is gone
    file.write_bytes(b"cut short")
    np.testing.assert_array_equal(map_model(workspace).points_map, moved.points_map)
    model = SfmModel.load(workspace.model_path)
    whole = Workspace.create(workspace.path.parent / "whole", workspace.images_dir, model.names, "none")
    model.save(whole.model_path)
    assert len(map_model(whole).names) == 10 and not list(whole.path.glob("model_known-*"))
