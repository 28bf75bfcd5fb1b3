import dataclasses
import json
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from scenes import noise_image
from synthetic_model import make_model

from reloc_ros.bundle import Bundle
from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localizer
from reloc_ros.offline import steps
from reloc_ros.offline.landmarks import label_step
from reloc_ros.offline.landmarks.keypoints_json import write_keypoints
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.measuring.scores import read_evaluation, write_scores
from reloc_ros.offline.places.parts import network_files
from reloc_ros.offline.places.train_part import make_run_folder
from reloc_ros.offline.places.train_step import refuse_stale
from reloc_ros.offline.training import feature_cache
from reloc_ros.offline.training.augment import AugmentConfig
from reloc_ros.offline.training.recipe import TrainConfig
from reloc_ros.offline.workspace import Workspace

HOLDOUT = "every:5:2"
CONFIG = TrainConfig(width=64, views=16, steps=3, batch=4, augment=AugmentConfig(max_boxes=1))


@pytest.fixture(autouse=True)
def _small_work(monkeypatch):
    """Neither OpenVINO, after seconds of compiling, nor threads repay with so little to do."""
    none = SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None))
    monkeypatch.setattr(feature_cache, "importlib", none)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    model = make_model(images=13, points=300, camera="pinhole")
    images = tmp_path / "images"
    images.mkdir()
    for i, name in enumerate(model.names):
        cv2.imwrite(str(images / name), noise_image(i, 640, 480))
    workspace = Workspace.create(tmp_path / "ws", images, model.names, HOLDOUT)
    model.save(workspace.model_path)
    return workspace


@pytest.fixture
def labelled(workspace) -> Workspace:
    steps.select_step(workspace, 12)
    steps.label_step(workspace, "depth")
    return workspace


def test_the_map_knows_nothing_of_held_out_images(workspace):
    model = steps.map_model(workspace)
    assert len(model.names) == 10
    assert not workspace.is_held_out(model.names).any()
    assert model.observation_image.max() < 10


def test_held_out_images_do_not_change_landmarks_or_labels(workspace, tmp_path):
    """Whatever was seen in them: the same map without them ever having been there gives the same."""
    steps.select_step(workspace, 12)
    steps.label_step(workspace, "depth")
    model = steps.map_model(workspace)
    bare = Workspace.create(tmp_path / "bare", workspace.images_dir, model.names, "none")
    model.save(bare.model_path)
    steps.select_step(bare, 12)
    steps.label_step(bare, "depth")
    np.testing.assert_array_equal(
        Landmarks.load(bare.landmarks_path).ids, Landmarks.load(workspace.landmarks_path).ids
    )
    ours, theirs = Labels.load(workspace.labels_path), Labels.load(bare.labels_path)
    assert ours.names == theirs.names
    np.testing.assert_array_equal(ours.visibility, theirs.visibility)


def test_summaries_count_what_was_made(labelled):
    select = labelled.summary("select")
    assert (select["landmarks"], select["of_points"], select["map_images"]) == (12, 300, 10)
    assert 0 < select["spread_min"] <= select["spread_median"] <= 12
    assert set(select["poor_images"]) < set(
        labelled.image_names
    )  # 300 points serve few views as a map of thousands does
    summary, labels = labelled.summary("label"), Labels.load(labelled.labels_path)
    assert summary["images"] == len(labels.names) == 10
    assert summary["seen_per_image_min"] == np.count_nonzero(labels.visibility == 1, axis=1).min()


def made_at(workspace: Workspace) -> dict[str, int]:
    files = (workspace.landmarks_path, workspace.labels_path, network_files(workspace)[0])
    return {file.name: file.stat().st_mtime_ns for file in files if file.exists()}


def test_steps_are_done_once_and_again_when_what_they_need_changes(labelled):
    first = made_at(labelled)
    steps.select_step(labelled, 12)
    steps.label_step(labelled, "depth")
    assert made_at(labelled) == first
    steps.label_step(labelled, "voxels")
    assert made_at(labelled)["labels.npz"] != first["labels.npz"]
    steps.select_step(labelled, 13)
    assert made_at(labelled)["landmarks.npz"] != first["landmarks.npz"]
    steps.label_step(labelled, "voxels")
    assert Labels.load(labelled.labels_path).visibility.shape[1] == 13


def test_another_voxel_size_labels_again_and_belongs_to_voxels_alone(labelled):
    first = made_at(labelled)
    label_step.label_step(labelled, "depth", voxel_size=0.05)
    assert made_at(labelled) == first
    label_step.label_step(labelled, "voxels", voxel_size=0.05)
    second = made_at(labelled)
    label_step.label_step(labelled, "voxels", voxel_size=0.05)
    assert made_at(labelled) == second
    label_step.label_step(labelled, "voxels", voxel_size=0.1)
    assert made_at(labelled)["labels.npz"] != second["labels.npz"]


def test_imported_labels_take_the_place_of_the_others_and_can_be_trained_and_measured(labelled, tmp_path):
    file = tmp_path / "keypoints.json"
    labels = Labels.load(labelled.labels_path)
    write_keypoints(file, labels)
    entries = json.loads(file.read_text())
    row = entries[labels.names[0]][int(np.flatnonzero(labels.visibility[0] == 1)[0])]
    row[2] = 0
    file.write_text(json.dumps(entries))
    label_step.import_labels_step(labelled, file)
    changed = Labels.load(labelled.labels_path).visibility != labels.visibility
    assert np.count_nonzero(changed) == 1
    assert label_step.has_labels(labelled)
    steps.train_step(labelled, CONFIG)
    refuse_stale(labelled)
    steps.select_step(labelled, 13)
    assert not label_step.has_labels(labelled)
    with pytest.raises(RelocError, match="was it made before the last select"):
        label_step.import_labels_step(labelled, file)


def test_labels_of_an_earlier_version_stay_current(labelled):
    """Their record says the method and nothing else."""
    facts = json.loads((labelled.path / "workspace.json").read_text())
    del facts["steps"]["label"]["summary"]["how"]
    (labelled.path / "workspace.json").write_text(json.dumps(facts))
    assert label_step.has_labels(labelled)


def test_a_preview_is_drawn_once_for_the_same_labels(labelled):
    label_step.preview_step(labelled)
    files = [labelled.path / f"label_preview.{kind}" for kind in ("png", "mp4")]
    first = [file.stat().st_mtime_ns for file in files]
    label_step.preview_step(labelled)
    assert [file.stat().st_mtime_ns for file in files] == first
    label_step.label_step(labelled, "voxels")
    label_step.preview_step(labelled)
    assert all(file.stat().st_mtime_ns > time for file, time in zip(files, first, strict=True))


def test_a_preview_without_the_images_is_refused(labelled):
    shutil.rmtree(labelled.images_dir)
    with pytest.raises(RelocError, match=r"cannot read image .* there is no such file"):
        label_step.preview_step(labelled)
    assert not list(labelled.path.glob("*preview*"))


def test_training_is_done_once_and_says_what_it_made(labelled):
    summary = steps.train_step(labelled, CONFIG)
    assert summary["steps"] == 3
    assert (summary["shape"]["width"], summary["shape"]["height"]) == (64, 64)
    assert summary["shape"]["landmarks"] == 12
    assert not (labelled.train_dir / "run" / "checkpoints").exists()  # of no more use
    first = made_at(labelled)
    assert steps.train_step(labelled, CONFIG) == summary and made_at(labelled) == first
    steps.train_step(labelled, dataclasses.replace(CONFIG, seed=1))
    assert made_at(labelled)["network.pt"] != first["network.pt"]


def test_stopped_training_leaves_the_network_of_before(labelled):
    steps.train_step(labelled, CONFIG)
    first = (network_files(labelled)[0]).read_bytes()

    def stop(phase: str, done: int, total: int) -> None:
        if phase == "train" and done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        steps.train_step(labelled, dataclasses.replace(CONFIG, seed=1), stop)
    assert (network_files(labelled)[0]).read_bytes() == first
    assert steps.train_step(labelled, dataclasses.replace(CONFIG, seed=1))["steps"] == 3
    assert (network_files(labelled)[0]).read_bytes() != first


def test_a_run_goes_on_in_its_folder_only_with_the_same_inputs(labelled):
    folder = labelled.train_dir / "run"
    for seed, stays in ((0, False), (0, True), (1, False)):
        make_run_folder(folder, {"seed": seed})
        assert (folder / "half done").exists() == stays
        (folder / "half done").touch()


def test_export_without_a_network_names_the_step_to_do(labelled, tmp_path):
    with pytest.raises(RelocError, match="has no trained network; run reloc train"):
        steps.export_step(labelled, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.slow
def test_a_workspace_becomes_a_bundle_that_is_what_was_measured(labelled, tmp_path):
    steps.train_step(labelled, CONFIG)
    bundle = steps.export_step(labelled, tmp_path / "out.bundle", with_torch=False)
    assert "network.pt" not in bundle.files and bundle.scale == "unknown"
    assert bundle.made_from["map_images"] == 10 and bundle.made_from["held_out"] == HOLDOUT
    image = noise_image(3, 640, 480)
    result = Localizer.from_bundle(bundle.path, "onnx").localize(image)
    assert result.stage_ms["total"] > 0

    scores = steps.evaluate_step(labelled, ["clean", "dark"], "onnx")
    assert [(score.condition, len(score.outcomes)) for score in scores] == [("clean", 3), ("dark", 3)]
    assert read_evaluation(labelled.evaluation_path) == tuple(scores)
    assert steps.is_of_this_network(labelled, "evaluate") and steps.is_of_this_network(labelled, "export")
    exported = labelled.summary("export")
    assert exported["bytes"] == {file.name: file.stat().st_size for file in bundle.path.iterdir()}
    measured = Bundle.load(labelled.path / "bundle")
    np.testing.assert_array_equal(measured.landmarks.ids, bundle.landmarks.ids)
    made = (labelled.path / "bundle" / "manifest.json").stat().st_mtime_ns
    steps.evaluate_step(labelled, ["clean"], "onnx")
    assert (labelled.path / "bundle" / "manifest.json").stat().st_mtime_ns == made

    write_scores(tmp_path / "scores.json", scores)
    read = json.loads((tmp_path / "scores.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert read["format"] == 1 and read["scores"][0]["images"] == 3


def test_evaluating_a_map_without_hold_out_is_refused(workspace, tmp_path):
    model = steps.map_model(workspace)
    bare = Workspace.create(tmp_path / "bare", workspace.images_dir, model.names, "none")
    model.save(bare.model_path)
    with pytest.raises(RelocError, match="no registered image is held out"):
        steps.evaluate_step(bare, ["clean"])


def test_export_refuses_a_network_whose_landmarks_or_labels_have_changed(labelled, tmp_path):
    steps.train_step(labelled, CONFIG)
    steps.label_step(labelled, "voxels")
    with pytest.raises(RelocError, match="labels changed after reloc train"):
        steps.export_step(labelled, tmp_path / "bundle")
    steps.select_step(labelled, 13)
    with pytest.raises(RelocError, match="landmarks changed after reloc label"):
        steps.export_step(labelled, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_training_refuses_images_of_another_size_than_the_map_was_made_from(labelled):
    name = Labels.load(labelled.labels_path).names[3]
    cv2.imwrite(str(labelled.images_dir / name), noise_image(3, 320, 240))
    with pytest.raises(RelocError, match="is 320x240, but the map was made from 640x480"):
        steps.train_step(labelled, CONFIG)
