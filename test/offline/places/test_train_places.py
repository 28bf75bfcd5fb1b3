import dataclasses
import functools
import json
import threading
import time

import numpy as np
import psutil
import pytest

from reloc_ros.bench.scaling import corridor
from reloc_ros.bundle import ENCODER, ONNX, PLACES, NetworkShape
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import Localizer
from reloc_ros.offline import steps
from reloc_ros.offline.landmarks import select_step
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.places import partition
from reloc_ros.offline.places.parts import network_files, parts_of, place_sizes
from reloc_ros.offline.places.train_places import Jobs, unseen_images
from reloc_ros.offline.training.recipe import Hardware, TrainConfig

CONFIG = TrainConfig(width=64, views=24, steps=4, batch=4, validation="every:6:1")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A corridor whose landmarks are of several places, because so few are taken to be enough for one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corridor, "CAMERA", Camera("pinhole", 320, 240, 250.0, 250.0, 159.5, 119.5))
        made = corridor.make_workspace(tmp_path_factory.mktemp("corridor"), 24)
        for module in (partition, select_step):
            patch.setattr(module, "ONE_PLACE", 60)
        patch.setattr(partition, "LANDMARKS_PER_HEAD", 60)
        steps.select_step(made, 110)
    steps.label_step(made, "depth")
    return made


def times(workspace) -> list[int]:
    return [file.stat().st_mtime_ns for file in network_files(workspace)]


@pytest.fixture
def small_places(monkeypatch):
    """So few landmarks are enough for a place."""
    for module in (partition, select_step):
        monkeypatch.setattr(module, "ONE_PLACE", 60)
    monkeypatch.setattr(partition, "LANDMARKS_PER_HEAD", 60)


def test_a_new_wing_leaves_the_places_alone_that_it_does_not_touch(small_places, tmp_path, monkeypatch):
    """Of a corridor first one wall is mapped, then the other."""
    monkeypatch.setattr(corridor, "CAMERA", Camera("pinhole", 320, 240, 250.0, 250.0, 159.5, 119.5))
    made = corridor.make_workspace(tmp_path, 24)
    whole = SfmModel.load(made.model_path)
    one_wall = whole.keep_images(np.arange(24) < 12)
    one_wall.keep_points(one_wall.track_lengths >= 3).save(made.model_path)
    steps.select_step(made, 90)
    steps.label_step(made, "depth")
    steps.train_step(made, CONFIG)
    sizes, before, landmarks = place_sizes(made), times(made), Landmarks.load(made.landmarks_path)

    whole.save(made.model_path)
    steps.select_step(made, None, add=True)
    steps.label_step(made, "depth")
    steps.train_step(made, CONFIG)
    grown = place_sizes(made)
    assert len(grown) > len(sizes) == len(before) and grown[: len(sizes)] == sizes
    kept = Landmarks.load(made.landmarks_path)
    assert np.array_equal(kept.positions_map[: len(landmarks)], landmarks.positions_map)
    assert times(made)[: len(sizes)] == before


def test_nothing_can_be_added_to_no_landmarks(tmp_path):
    made = corridor.make_workspace(tmp_path, 24)
    with pytest.raises(RelocError, match="there are no landmarks to add to; run reloc select"):
        steps.select_step(made, None, add=True)


def test_landmarks_lie_in_the_order_of_their_places(workspace):
    sizes = place_sizes(workspace)
    assert len(sizes) >= 2 and sum(sizes) == len(Landmarks.load(workspace.landmarks_path)) == 110
    parts = parts_of(workspace, Labels.load(workspace.labels_path))
    assert [len(part.landmarks) for part in parts] == list(sizes)
    assert all(0 < len(part.images) < 24 for part in parts)  # nobody sees both ends


def test_each_place_is_trained_and_those_that_stay_as_they_were_are_not_trained_again(workspace):
    told = []
    done = steps.train_step(workspace, CONFIG, lambda *step: told.append(step))
    places = len(place_sizes(workspace))
    assert told[-1] == ("train places", places, places)
    assert done["steps"] == places * CONFIG.steps and NetworkShape(**done["shape"]).places == place_sizes(
        workspace
    )
    assert done["validation"]["images"]
    before = times(workspace)
    assert steps.train_step(workspace, CONFIG) == done and times(workspace) == before

    labels = Labels.load(workspace.labels_path)
    first = parts_of(workspace, labels)[0]
    states = labels.visibility.copy()
    states[np.ix_(first.images[:3], first.landmarks[:3])] = Visibility.UNKNOWN
    with workspace.labels_path.open("wb"):
        pass
    dataclasses.replace(labels, visibility=states).save(workspace.labels_path)
    try:
        steps.train_step(workspace, CONFIG)
        after = times(workspace)
        assert after[0] > before[0] and after[1:] == before[1:]
    finally:
        labels.save(workspace.labels_path)


def test_the_bundle_of_a_map_of_places_has_all_that_it_needs(workspace, tmp_path, monkeypatch):
    for name in ("calibrate", "calibrate_features"):  # by fewer pictures
        monkeypatch.setattr(steps, name, functools.partial(getattr(steps, name), count=4))
    steps.train_step(workspace, CONFIG)
    bundle = steps.export_step(workspace, tmp_path / "corridor.bundle")
    assert {ENCODER + ONNX, PLACES, "place000.onnx", "place001.onnx"} <= set(bundle.files)
    told = bundle.made_from["places"]
    assert told["count"] == len(place_sizes(workspace)) and 0 <= told["first_look_right"] <= 1
    assert Localizer.from_bundle(bundle.path).backend.attempts == 3
    with pytest.raises(
        RelocError, match="several places has no weights for the torch backend; leave out --torch"
    ):
        steps.export_step(workspace, tmp_path / "torch.bundle", with_torch=True)


def test_which_images_are_not_trained_on_does_not_depend_on_those_that_come_later():
    names = [f"walk/{number:04d}.jpg" for number in range(1000)]
    unseen = unseen_images(names[:700], "auto")
    assert 50 < len(unseen) < 95
    assert unseen == [name for name in unseen_images(names, "auto") if name in set(names[:700])]
    assert unseen_images(names[:9], "every:3:0") == names[:9:3]


@pytest.mark.parametrize(
    ("config", "how", "sentence"),
    [
        ({}, {"hardware": Hardware(devices=2)}, "trained one by each of several workers: give --workers"),
        ({"encoder": "resnet18"}, {}, "share one encoder, and resnet18 is trained with each"),
        ({}, {"jobs": Jobs(cluster="tcp://127.0.0.1:9")}, "no dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_what_places_cannot_be_trained_with_is_one_sentence(workspace, config, how, sentence):
    with pytest.raises(RelocError, match=sentence):
        steps.train_step(workspace, dataclasses.replace(CONFIG, seed=1, **config), **how)


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_its_place_to_another(workspace):
    """Two processes train; one is killed in the middle of it, and all networks are there in the end."""
    config = dataclasses.replace(CONFIG, seed=7, steps=60)
    done, me = {}, psutil.Process()
    training = threading.Thread(
        target=lambda: done.update(steps.train_step(workspace, config, jobs=Jobs(workers=2)))
    )
    started = time.time()
    training.start()
    while not any(f.stat().st_mtime > started for f in workspace.train_dir.glob("place*/curves/metrics.csv")):
        assert training.is_alive()
        time.sleep(0.05)
    busiest = max(me.children(recursive=True), key=lambda child: child.cpu_times().user)
    busiest.kill()
    training.join()
    assert done["steps"] == len(place_sizes(workspace)) * config.steps
    notes = [json.loads(file.with_suffix(".json").read_text()) for file in network_files(workspace)]
    assert all(note["summary"]["steps"] == config.steps for note in notes)
