import csv
import dataclasses
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from scenes import TINY_CAMERA, noise_image, random_landmarks

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.training import feature_cache, fit, train
from reloc_ros.offline.training.augment import AugmentConfig, ViewSampler
from reloc_ros.offline.training.recipe import Hardware, TrainConfig
from reloc_ros.offline.training.train import network_shape, train_network
from reloc_ros.offline.training.validation import PoseErrors, Truth

LANDMARKS = 8
CONFIG = TrainConfig(width=64, views=16, steps=24, batch=4, augment=AugmentConfig(max_boxes=1))


def photos(count: int = 4, width: int = 128, height: int = 128) -> list[np.ndarray]:
    return [noise_image(seed, width, height) for seed in range(count)]


def labels(count: int = 4, width: int = 128, height: int = 128) -> Labels:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform([20, 20], [width - 20, height - 20], (count, LANDMARKS, 2)).astype(np.float32)
    visibility = rng.choice(
        [Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN], (count, LANDMARKS), p=[0.7, 0.2, 0.1]
    )
    return Labels(tuple(f"{i}.jpg" for i in range(count)), keypoints, visibility.astype(np.int8))


def head(network: LandmarkNetwork) -> torch.Tensor:
    return torch.cat([value.flatten() for value in network.head.state_dict().values()])


@pytest.fixture(scope="module", autouse=True)
def _small_work():
    """Neither OpenVINO, after seconds of compiling, nor threads repay with so little to do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            feature_cache, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None))
        )
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    told = []
    network, summary = train_network(folder, photos(), labels(), CONFIG, lambda *step: told.append(step))
    return folder, network, summary, told


def test_training_lowers_the_loss(trained):
    folder, _, summary, _ = trained
    first = float(next(iter(_curve(folder))))
    assert summary["losses"]["loss"] < 0.7 * first


def _curve(folder) -> list[float]:
    with (folder / "curves" / "metrics.csv").open() as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream) if row["loss"]]


def test_training_finds_the_landmarks_it_was_shown(tmp_path):
    """Views that are never changed are learnt by heart, so keypoints, warps, loss and decode must all agree."""
    still = AugmentConfig(0, 1, 1, 0, 0, max_boxes=0, clean_share=1)
    config = dataclasses.replace(CONFIG, augment=still, views=4, steps=120)
    network, _ = train_network(tmp_path, photos(), labels(), config)
    sampler = ViewSampler(photos(), labels(), (64, 64), still, 0)
    hits = []
    for index in range(4):
        view = sampler(index)
        with torch.inference_mode():
            found = network(torch.from_numpy(view.image)[None])[0].numpy()
        seen = view.visibility == Visibility.SEEN
        distance = np.linalg.norm(found[seen, :2] - view.keypoints_px[seen], axis=1)
        hits += ((distance < 4) & (found[seen, 2] > 0.3)).tolist()
    assert np.mean(hits) > 0.8


def test_progress_covers_the_encoding_and_every_step(trained):
    told = trained[3]
    assert told[-1] == ("train", CONFIG.steps, CONFIG.steps)
    assert ("encode views", CONFIG.views, CONFIG.views) in told


def test_summary_says_what_was_done(trained):
    summary = trained[2]
    assert summary["steps"] == CONFIG.steps and "ImageNet" in summary["encoder_weights"]
    assert set(summary["losses"]) == {"loss", "heatmap", "offset"}


def test_the_frozen_encoder_stays_as_it_was(trained):
    fresh = LandmarkNetwork(trained[1].shape)
    fresh.features.encoder.load_pretrained(None)
    for name, value in fresh.features.encoder.state_dict().items():
        torch.testing.assert_close(trained[1].features.encoder.state_dict()[name], value, rtol=0, atol=0)


def test_same_seed_gives_the_same_weights_and_another_does_not(trained, tmp_path):
    again, _ = train_network(tmp_path / "again", photos(), labels(), CONFIG)
    torch.testing.assert_close(head(again), head(trained[1]), rtol=0, atol=0)
    other, _ = train_network(
        tmp_path / "other", photos(), labels(), dataclasses.replace(CONFIG, seed=1, steps=2)
    )
    assert not torch.allclose(head(other), head(trained[1]))


def truth(count: int = 4) -> Truth:
    return Truth(
        random_landmarks(LANDMARKS), [TINY_CAMERA.resized(128, 128)] * count, [SE3.identity()] * count
    )


class Stopped(Exception):
    pass


def test_a_stopped_training_gives_the_same_weights_as_one_that_was_not(tmp_path, monkeypatch):
    """Stopped in the middle of a round of its views, so the order must go on, as must what Adam remembers."""
    config = dataclasses.replace(CONFIG, steps=15, validation="every:4:1")
    whole, told_whole = train_network(tmp_path / "whole", photos(), labels(), config, truth=truth())
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0.0)

    def stop(phase: str, done: int, total: int) -> None:
        if phase == "train" and done == 11:
            raise Stopped

    with pytest.raises(Stopped):
        train_network(tmp_path, photos(), labels(), config, stop, truth())
    torch.manual_seed(99)
    told = []
    network, summary = train_network(
        tmp_path, photos(), labels(), config, lambda *step: told.append(step), truth()
    )
    assert [done for phase, done, _ in told if phase == "train"] == [11, 12, 13, 14, 15]
    assert summary["steps"] == 15 and summary["validation"] == told_whole["validation"]
    torch.testing.assert_close(head(network), head(whole), rtol=0, atol=0)
    curves, curves_whole = (
        (folder / "curves" / "metrics.csv").read_text() for folder in (tmp_path, tmp_path / "whole")
    )
    assert _losses_by_step(curves).keys() == _losses_by_step(curves_whole).keys() == {"5", "10", "15"}
    assert _losses_by_step(curves)["5"] == _losses_by_step(curves_whole)["5"]


def _losses_by_step(text: str) -> dict[str, str]:
    rows = list(csv.DictReader(text.splitlines()))
    assert len({(row["step"], row["loss"] != "") for row in rows}) == len(rows)  # none twice
    return {row["step"]: row["loss"] for row in rows if row["loss"]}


def test_nothing_in_a_checkpoint_is_executed(tmp_path):
    checkpoints, file = fit.AtomicCheckpoints(), tmp_path / "last.ckpt"
    checkpoints.save_checkpoint({"state_dict": {"weight": torch.ones(3)}, "global_step": 7}, file)
    assert checkpoints.load_checkpoint(file)["global_step"] == 7
    torch.save({"state_dict": {}, "further": SimpleNamespace(harmless=True)}, file)
    with pytest.raises(RelocError, match=r"last\.ckpt is damaged or no checkpoint .* remove it"):
        checkpoints.load_checkpoint(file, weights_only=False)


def test_a_checkpoint_that_is_none_is_one_sentence(tmp_path):
    file = tmp_path / "checkpoints" / "last.ckpt"
    file.parent.mkdir()
    file.write_bytes(b"half a checkpoint")
    with pytest.raises(RelocError, match=r"last\.ckpt is damaged"):
        train_network(tmp_path, photos(), labels(), CONFIG)


def test_validation_images_are_not_trained_on_and_are_told(tmp_path):
    config = dataclasses.replace(CONFIG, steps=4, validation="every:4:1")
    told, kept = photos(), photos()
    told[1] = 255 - told[1]  # another second picture changes nothing but what the validation says
    first, summary = train_network(tmp_path / "a", told, labels(), config, truth=truth())
    second, _ = train_network(tmp_path / "b", kept, labels(), config, truth=truth())
    torch.testing.assert_close(head(first), head(second), rtol=0, atol=0)
    assert summary["validation"]["images"] == ["1.jpg"]
    assert summary["validation"]["conditions"]["clean"]["recall"] == 0
    json.loads(json.dumps(summary), parse_constant=lambda name: pytest.fail(name))


def test_a_copy_of_a_validation_image_is_not_trained_on_either(tmp_path):
    config = dataclasses.replace(CONFIG, steps=4, validation="every:4:1")
    pictures = photos()
    pictures[2] = cv2.GaussianBlur(pictures[1], None, 0.5)
    _, summary = train_network(tmp_path, pictures, labels(), config, truth=truth())
    assert summary["validation"]["images"] == ["1.jpg", "2.jpg"] and summary["validation"]["copies"] == 1


def test_small_sets_are_trained_on_whole(trained, tmp_path):
    network, summary = train_network(tmp_path, photos(), labels(), CONFIG, truth=truth())
    assert summary["validation"] is None
    torch.testing.assert_close(head(network), head(trained[1]), rtol=0, atol=0)


def ends(errors: list[float], tmp_path, monkeypatch, patience: float = 0.3) -> dict:
    """The summary of forty steps whose validations give these errors, the last for ever."""
    told = iter(errors)
    last = errors[-1]

    def measure(self):
        return {"clean": PoseErrors(1.0, 0.1, 0.1, next(told, last))}

    monkeypatch.setattr(train._Run, "measure", measure)
    config = dataclasses.replace(
        CONFIG, width=32, steps=40, batch=2, validation="every:4:1", patience=patience
    )
    return train_network(tmp_path, photos(), labels(), config, truth=truth())[1]


def test_training_ends_early_with_a_cool_down_when_the_error_falls_no_more(tmp_path, monkeypatch):
    summary = ends([0.2], tmp_path / "same", monkeypatch)
    assert summary["steps"] == 24 and summary["validation"]["best_at"] == 0.6
    rows = ends([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.19], tmp_path / "falling", monkeypatch)
    assert rows["steps"] == 40


def test_training_does_not_end_early_while_most_is_lost_or_when_told_not_to(tmp_path, monkeypatch):
    assert ends([0.9], tmp_path / "lost", monkeypatch)["steps"] == 40
    assert ends([0.2], tmp_path / "patient", monkeypatch, patience=1.0)["steps"] == 40


def test_the_best_weights_are_what_comes_out(tmp_path, monkeypatch):
    """The third validation, at 0.3 of forty steps, is the best: what follows is thrown away."""
    summary = ends([0.5, 0.4, 0.1, 0.6], tmp_path / "whole", monkeypatch, patience=1.0)
    assert summary["steps"] == 40 and summary["validation"]["best_at"] == 0.3


def test_curves_hold_losses_and_pose_errors(tmp_path, monkeypatch):
    ends([0.5, 0.4], tmp_path, monkeypatch, patience=1.0)
    with (tmp_path / "curves" / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows if row["loss"]] == [str(step) for step in range(5, 41, 5)]
    assert [row["validation_error"] for row in rows if row["validation_error"]][:2] == ["0.5", "0.4"]


def test_tensorboard_curves_are_written_where_it_is_installed(tmp_path):
    pytest.importorskip("tensorboard")
    train_network(tmp_path, photos(), labels(), dataclasses.replace(CONFIG, steps=2), tensorboard=True)
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_without_tensorboard_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(fit.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RelocError, match="TensorBoard is not installed; run pip install tensorboard"):
        fit.make_trainer(tmp_path, 1, Hardware(), True, [])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("accelerator", ["cuda", "tpu", "abacus"])
def test_hardware_that_is_not_there_is_one_sentence(tmp_path, accelerator):
    with pytest.raises(RelocError, match="this machine cannot train so"):
        train_network(tmp_path, photos(), labels(), CONFIG, hardware=Hardware(accelerator))


def test_network_input_follows_the_aspect_of_most_images():
    images = [*photos(3, 640, 480), *photos(1, 480, 640)]
    shape = network_shape(images, labels(), dataclasses.replace(CONFIG, width=512))
    assert (shape.width, shape.height, shape.landmarks) == (512, 384, LANDMARKS)
    tall = network_shape(photos(2, 480, 640), labels(), dataclasses.replace(CONFIG, width=512))
    assert (tall.width, tall.height) == (384, 512)
    wide = network_shape(photos(2, 1000, 60), labels(), dataclasses.replace(CONFIG, width=256))
    assert (wide.width, wide.height) == (256, 32)


def test_view_of_an_index_is_always_the_same():
    samplers = [ViewSampler(photos(), labels(), (64, 64), AugmentConfig(), seed) for seed in (0, 0, 1)]
    a, b, c = (sampler(5) for sampler in samplers)
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.keypoints_px, b.keypoints_px)
    assert (a.image != c.image).any()


def test_labels_follow_their_image_into_an_unchanged_view():
    still = AugmentConfig(0, 1, 1, 0, 0, max_boxes=0, clean_share=1)
    view = ViewSampler(photos(), labels(), (64, 64), still, 0)(2)
    expected = (labels().keypoints_px[2] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(view.keypoints_px, expected, atol=0.6)


def test_resnet_trains_as_a_whole(tmp_path):
    config = dataclasses.replace(CONFIG, encoder="resnet18", steps=2, batch=2)
    torch.manual_seed(0)
    network, summary = train_network(tmp_path, photos(), labels(), config)
    assert "random weights" in summary["encoder_weights"]
    assert network.features.encoder.bn1.running_mean.abs().max() > 0
    assert network(torch.zeros((1, 64, 64, 3), dtype=torch.uint8)).shape == (1, LANDMARKS, 4)


def test_an_encoder_that_trains_learns_slower_than_the_head_and_a_frozen_one_not_at_all():
    network = LandmarkNetwork(
        network_shape(photos(), labels(), dataclasses.replace(CONFIG, encoder="resnet18"))
    )
    rates = {
        id(parameter): group["lr"]
        for group in fit.LandmarkTraining(network, CONFIG, frozen=False).configure_optimizers().param_groups
        for parameter in group["params"]
    }
    assert len(rates) == len(list(network.parameters()))
    for parameter in network.features.parameters():
        assert rates[id(parameter)] < 0.5 * rates[id(network.head.heatmaps.bias)]
    frozen = fit.LandmarkTraining(network, CONFIG, frozen=True).configure_optimizers()
    held = {id(parameter) for group in frozen.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in network.head.parameters()}


def test_unknown_encoder_is_one_sentence(tmp_path):
    with pytest.raises(RelocError, match="unknown encoder 'vgg'"):
        train_network(tmp_path, photos(), labels(), dataclasses.replace(CONFIG, encoder="vgg"))


def test_wrong_encoder_weights_are_one_sentence(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"words")
    with pytest.raises(RelocError, match=r"encoder weights .*w\.pth cannot be read"):
        train_network(
            tmp_path, photos(), labels(), dataclasses.replace(CONFIG, encoder_weights=tmp_path / "w.pth")
        )


def test_a_time_budget_is_kept_and_ends_with_a_learning_rate_of_nothing(tmp_path):
    config = dataclasses.replace(CONFIG, minutes=0.1, steps=10**9)
    told = []
    _, summary = train_network(tmp_path, photos(), labels(), config, lambda *step: told.append(step))
    assert 0.08 < summary["seconds"] / 60 < 0.2
    assert summary["steps"] > 3
    assert summary["losses"]["loss"] < _curve(tmp_path)[0]
    assert told[-1][0] == "train, seconds" and told[-1][1] == told[-1][2]


@pytest.mark.parametrize(("landmarks", "groups"), [(8, 1), (300, 1), (301, 2), (500, 2)])
def test_more_landmarks_than_one_head_holds_get_more_heads(landmarks, groups):
    many = Labels(
        names=("a",),
        keypoints_px=np.zeros((1, landmarks, 2), dtype=np.float32),
        visibility=np.zeros((1, landmarks), dtype=np.int8),
    )
    shape = network_shape([np.zeros((96, 128, 3), dtype=np.uint8)], many, CONFIG)
    assert shape.groups == groups
    assert (
        LandmarkNetwork(shape)(torch.zeros((1, shape.height, shape.width, 3), dtype=torch.uint8)).shape[1]
        == landmarks
    )
