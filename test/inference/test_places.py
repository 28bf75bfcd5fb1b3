import copy
import dataclasses
import shutil

import numpy as np
import pytest
from scenes import TINY_CAMERA, TINY_SHAPE, noise_image, random_landmarks, tiny_network

from reloc_ros.bundle import ENCODER, ONNX, PLACES, Bundle, place_model, write_bundle
from reloc_ros.errors import RelocError
from reloc_ros.inference.backends import make_backend
from reloc_ros.inference.places import MOST, PlaceClassifier
from reloc_ros.io.manifest import digest_of, read_manifest, write_manifest
from reloc_ros.localizer import Localizer
from reloc_ros.pose.finder import Lost

COUNT = 3
SHAPE = dataclasses.replace(
    TINY_SHAPE, landmarks=COUNT * TINY_SHAPE.landmarks, places=(TINY_SHAPE.landmarks,) * COUNT
)


def biased(*biases: float) -> PlaceClassifier:
    """Has an opinion that does not depend on the picture."""
    return PlaceClassifier(np.zeros((len(biases), 496), np.float32), np.array(biases, np.float32))


@pytest.fixture(scope="module")
def networks():
    made = []
    for place in range(COUNT):
        network = copy.deepcopy(tiny_network())
        for weights in (network.head.heatmaps.weight, network.head.offset_weight):
            weights.data = weights.data.roll(place, 0)  # what was the first landmark is the second
        made.append(network)
    return made


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, networks) -> Bundle:
    from reloc_ros.offline.bundling.export import export_encoder, export_head

    def write_models(folder):
        export_encoder(networks[0], folder / (ENCODER + ONNX))
        for place, network in enumerate(networks):
            export_head(network, folder / (place_model(place) + ONNX))
        biased(0, 5, 0).save(folder / PLACES)

    return write_bundle(
        tmp_path_factory.mktemp("places") / "places.bundle",
        scale="unknown",
        camera=TINY_CAMERA,
        network=SHAPE,
        landmarks=random_landmarks(SHAPE.landmarks),
        made_from={"map_images": 9},
        write_models=write_models,
    )


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_the_encoder_and_the_heads_find_together_what_the_whole_networks_do(bundle, networks, engine):
    import torch

    backend = make_backend(bundle, engine, precision="fp32")
    image = noise_image(1)
    everywhere = backend.infer(image, 2).reshape(COUNT, -1, 4)
    for network, found in zip(networks, everywhere, strict=True):
        with torch.inference_mode():
            expected = network(torch.from_numpy(image)[None])[0].numpy()
        clear = expected[:, 2] > 0.3
        assert clear.any()
        np.testing.assert_allclose(found[:, 2], expected[:, 2], atol=0.02)
        np.testing.assert_allclose(found[clear, :2], expected[clear, :2], atol=0.5)


def test_the_first_look_is_for_the_likely_places_alone(bundle):
    backend = make_backend(bundle, "onnx")
    assert backend.attempts == 3
    image = noise_image(1)
    first, last = backend.infer(image), backend.infer(image, 2)
    assert np.isfinite(last).all()
    rows = SHAPE.rows_of(1)
    assert np.array_equal(first[rows], last[rows])
    assert np.isnan(np.delete(first, np.arange(SHAPE.landmarks)[rows], axis=0)).all()


def test_another_picture_is_not_taken_for_the_one_before(bundle):
    backend = make_backend(bundle, "onnx")
    one, other = noise_image(1), noise_image(2)
    expected = backend.infer(other, 2)
    backend.infer(one, 0)
    assert np.array_equal(backend.infer(other, 2), expected)


def test_a_buffer_that_is_filled_anew_is_another_picture(bundle):
    backend = make_backend(bundle, "onnx")
    buffer = noise_image(1)
    first = backend.infer(buffer, 0)
    buffer[:] = noise_image(2)
    assert not np.array_equal(backend.infer(buffer, 0), first, equal_nan=True)


def test_who_is_lost_everywhere_says_where_was_looked_first(bundle):
    result = Localizer.from_bundle(bundle.path).localize(noise_image(3, 640, 480))
    assert isinstance(result, Lost)
    assert "all 3 places were looked for, 1 at first" in result.detail


def test_torch_says_that_it_has_no_places(bundle):
    with pytest.raises(
        RelocError, match="backend torch runs no maps of several places; use onnx or openvino"
    ):
        make_backend(bundle, "torch")


@pytest.mark.parametrize(
    ("biases", "attempt", "expected"),
    [
        ((9, 0, 0), 0, [0]),
        ((0, 0, 9), 1, [2]),
        ((1, 0.9, -5), 0, [0]),
        ((1, 0.9, -5), 1, [0, 1]),
        ((0, 0, 0, 0, 0), 1, [0, 1, 2]),
    ],
)
def test_the_likeliest_places_are_looked_for_first_and_never_many(biases, attempt, expected):
    likely = biased(*biases).likely_of(np.zeros(496, np.float32), attempt)
    assert likely == expected and len(likely) <= MOST


def test_what_tells_places_apart_is_read_as_it_was_written(tmp_path):
    file = tmp_path / PLACES
    biased(1, 2).save(file)
    loaded = PlaceClassifier.load(file)
    assert np.array_equal(loaded.biases, [1, 2]) and loaded.weights.shape == (2, 496)


@pytest.mark.parametrize(
    "damage", [lambda c: biased(np.nan, 1), lambda c: PlaceClassifier(c.weights, np.zeros(3, np.float32))]
)
def test_a_damaged_file_is_one_sentence(tmp_path, damage):
    file = tmp_path / PLACES
    damage(biased(1, 2)).save(file)
    with pytest.raises(RelocError, match="is not a readable file of what tells places apart; export"):
        PlaceClassifier.load(file)


@pytest.mark.parametrize(
    "other", [biased(1, 2), PlaceClassifier(np.zeros((COUNT, 9), np.float32), np.zeros(COUNT, np.float32))]
)
def test_a_bundle_that_cannot_tell_its_places_apart_does_not_start(bundle, tmp_path, other):
    path = tmp_path / "other.bundle"
    shutil.copytree(bundle.path, path)
    other.save(path / PLACES)
    manifest = read_manifest(path)
    manifest["files"][PLACES] = digest_of(path / PLACES)
    write_manifest(path, manifest)
    with pytest.raises(RelocError, match=r"export the bundle again|export it again"):
        make_backend(Bundle.load(path), "onnx")


@pytest.mark.parametrize("places", [(8, 8), (8, 8, 9), (24, 0)])
def test_places_that_are_not_all_landmarks_are_refused(places):
    with pytest.raises(RelocError, match=r"places of|above zero"):
        dataclasses.replace(SHAPE, places=places)
