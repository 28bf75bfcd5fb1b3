import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from scenes import TINY_SHAPE, noise_image, tiny_bundle, tiny_network

from reloc_ros.bundle import ONNX_MODEL, Bundle


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    return Bundle.load(tiny_bundle(tmp_path_factory.getbasetemp())).file(ONNX_MODEL)


def test_exported_graph_computes_what_the_network_does(onnx_file):
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    for seed in range(4):
        image = noise_image(seed)[None]
        with torch.inference_mode():
            expected = tiny_network()(torch.from_numpy(image)).numpy()
        np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, rtol=1e-3, atol=1e-2)


def test_exported_graph_has_the_promised_names_and_shapes(onnx_file):
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    (image,), (keypoints,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", [1, 96, 128, 3])
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
    from reloc_ros.offline.bundling.export import export_onnx

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_onnx(tiny_network(), tmp_path / "tiny.onnx")
    assert capfd.readouterr() == ("", "")


def test_the_file_does_not_tell_whose_machine_made_it(onnx_file):
    assert b"/reloc_ros/network.py" not in onnx_file.read_bytes()
    assert b"stack_trace" not in onnx_file.read_bytes()
