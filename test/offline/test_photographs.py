"""The whole path on real photographs: a COLMAP model becomes a bundle that localizes images it has never seen."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from reloc_ros.localizer import Localized, Localizer
from reloc_ros.offline import steps
from reloc_ros.offline.mapping.map_images import map_images
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.sources.photographs import read_photo
from reloc_ros.offline.training.recipe import TrainConfig

SCENE = Path(__file__).resolve().parents[3] / "shared" / "scenes" / "snowmiku"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCENE.is_dir(), reason=f"the photographs are not at {SCENE}"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Mapped, selected, labelled and shortly trained at a low resolution."""
    folder = tmp_path_factory.mktemp("photographs") / "ws"
    workspace, _ = map_images(SCENE / "images", folder, SCENE / "sparse" / "0", "every:5:2")
    steps.select_step(workspace, 64)
    steps.label_step(workspace, "depth")
    steps.train_step(workspace, TrainConfig(width=320, views=400, steps=200))
    return workspace


def test_held_out_photographs_are_localized_in_the_light_and_in_the_dark(workspace):
    scores = steps.evaluate_step(workspace, ["clean", "dark"], backend="onnx")
    assert [score.condition for score in scores] == [
        "clean",
        "clean",
        "dark",
        "dark",
    ]  # alone is the network second
    for whole, alone in zip(scores[::2], scores[1::2], strict=True):
        assert whole.recall >= alone.recall and alone.by_features == 0
    for score in scores:
        assert len(score.outcomes) == 19
        assert score.recall >= 0.6, score.to_json()
        assert score.median("rotation_deg") < 3.0


def test_nothing_of_a_held_out_photograph_is_in_labels_or_landmarks(workspace):
    from reloc_ros.offline.landmarks.labels import Labels

    model = SfmModel.load(workspace.model_path)
    held_out = {
        name for name, held in zip(model.names, workspace.is_held_out(model.names), strict=True) if held
    }
    assert len(held_out) == 19
    assert held_out.isdisjoint(Labels.load(workspace.labels_path).names)
    assert held_out.isdisjoint(steps.map_model(workspace).names)


def test_noise_and_scrambled_photographs_are_lost(workspace):
    localizer = Localizer.from_bundle(workspace.path / "bundle", "onnx")
    rng = np.random.default_rng(0)
    names = [name for name in workspace.image_names if workspace.is_held_out([name])[0]]
    for name in names[::3]:
        image = read_photo(workspace.images_dir / name)
        blocks = [row for strip in np.split(image, 8) for row in np.split(strip, 8, axis=1)]
        order = rng.permutation(len(blocks))
        scrambled = np.vstack([np.hstack([blocks[i] for i in order[8 * r : 8 * r + 8]]) for r in range(8)])
        for negative in (scrambled, rng.integers(0, 256, image.shape, dtype=np.uint8)):
            result = localizer.localize(negative)
            assert not isinstance(result, Localized), (name, result)
