import dataclasses
import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from scenes import TINY_SHAPE, noise_image, tiny_bundle, tiny_network

from reloc_ros.bundle import ONNX_MODEL, Bundle
from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.offline.bundling.export import export_onnx, folded
from reloc_ros.offline.bundling.quantize import cpu_session


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    return Bundle.load(tiny_bundle(tmp_path_factory.getbasetemp())).file(ONNX_MODEL)


def test_exported_graph_computes_what_the_network_does(onnx_file):
    session = cpu_session(onnx_file)
    for seed in range(4):
        image = noise_image(seed)[None]
        with torch.inference_mode():
            expected = tiny_network()(torch.from_numpy(image)).numpy()
        np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, rtol=1e-3, atol=1e-2)


def test_exported_graph_has_the_promised_names_and_shapes(onnx_file):
    session = cpu_session(onnx_file)
    (image,), (keypoints,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", [1, "height", "width", 3])
    assert (keypoints.name, keypoints.type, keypoints.shape) == (
        "keypoints",
        "tensor(float)",
        [1, TINY_SHAPE.landmarks, 4],
    )


def test_weights_are_stored_in_half_precision(onnx_file):
    model = onnx.load(onnx_file)
    large = [tensor for tensor in model.graph.initializer if np.prod(tensor.dims) >= 256]
    assert large and all(tensor.data_type != TensorProto.FLOAT for tensor in large)
    parameters = sum(value.numel() for value in tiny_network().state_dict().values())
    assert onnx_file.stat().st_size < 2.2 * parameters


def test_exporting_is_silent(tmp_path, capfd):
    """The exporter prints and warns about its own internals; a person has no use for that."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_onnx(tiny_network(), tmp_path / "tiny.onnx")
    assert capfd.readouterr() == ("", "")


def test_the_file_does_not_tell_whose_machine_made_it(onnx_file):
    assert b"/reloc_ros/network.py" not in onnx_file.read_bytes()
    assert b"stack_trace" not in onnx_file.read_bytes()


def test_a_folded_network_returns_the_same_keypoints():
    images = torch.stack([torch.from_numpy(noise_image(seed)) for seed in range(4)])
    with torch.inference_mode():
        torch.testing.assert_close(
            folded(tiny_network())(images), tiny_network()(images), rtol=1e-3, atol=2e-2
        )


@pytest.mark.parametrize(("encoder", "groups"), [("resnet18", 1), ("efficientnet_lite0", 2)])
def test_any_network_can_be_folded(encoder, groups):
    torch.manual_seed(0)
    network = LandmarkNetwork(dataclasses.replace(TINY_SHAPE, encoder=encoder, groups=groups)).eval()
    network.features.mean.normal_()
    network.features.std.uniform_(0.5, 2.0)
    image = torch.from_numpy(noise_image(0))[None]
    with torch.inference_mode():
        features = network.features(image)
        context = network.head(features).context
        torch.testing.assert_close(
            folded(network).head(folded(network).features(image)).context, context, rtol=1e-3, atol=1e-3
        )


def test_folding_leaves_the_network_alone():
    before = {name: value.clone() for name, value in tiny_network().state_dict().items()}
    folded(tiny_network())
    assert all(torch.equal(value, before[name]) for name, value in tiny_network().state_dict().items())
