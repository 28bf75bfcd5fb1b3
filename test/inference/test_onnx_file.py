"""Networks that keep their weights elsewhere, as onnx itself writes them; the files named need not exist."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reloc_ros.errors import RelocError
from reloc_ros.inference.onnx_file import self_contained

onnx = pytest.importorskip("onnx")
helper = onnx.helper
INSIDE = helper.make_tensor("weight", onnx.TensorProto.FLOAT, [2], [1.0, 2.0])
OUTSIDE = onnx.TensorProto(name="weight", data_type=1, dims=[2], data_location=onnx.TensorProto.EXTERNAL)
OUTSIDE.external_data.add(key="location", value="weights.bin")


def graph(nodes=(), initializers=()) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "graph", [], [], list(initializers))


def constant(tensor) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["constant"], value=tensor)


def sparse(tensor) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=tensor, indices=tensor, dims=[4])


def branch(tensor) -> onnx.NodeProto:
    return helper.make_node(
        "If", ["which"], ["y"], then_branch=graph([constant(tensor)]), else_branch=graph()
    )


def in_function(tensor) -> onnx.ModelProto:
    function = helper.make_function("own", "f", [], ["y"], [constant(tensor)], [])
    return helper.make_model(graph(), functions=[function])


PLACES: dict[str, Callable] = {
    "initializer": lambda tensor: helper.make_model(graph(initializers=[tensor])),
    "sparse initializer": lambda tensor: helper.make_model(
        helper.make_graph([], "graph", [], [], sparse_initializer=[sparse(tensor)])
    ),
    "constant": lambda tensor: helper.make_model(graph([constant(tensor)])),
    "sparse constant": lambda tensor: helper.make_model(
        graph([helper.make_node("Constant", [], ["y"], sparse_value=sparse(tensor))])
    ),
    "list of an attribute": lambda tensor: helper.make_model(
        graph([helper.make_node("Own", [], ["y"], tensors=[INSIDE, tensor])])
    ),
    "branch": lambda tensor: helper.make_model(graph([branch(tensor)])),
    "function": in_function,
}


@pytest.mark.parametrize("place", PLACES)
def test_weights_in_another_file_are_refused_wherever_they_are_named(tmp_path, place):
    file = tmp_path / "network.onnx"
    file.write_bytes(PLACES[place](INSIDE).SerializeToString())
    assert self_contained(file) == file
    file.write_bytes(PLACES[place](OUTSIDE).SerializeToString())
    with pytest.raises(RelocError, match="keeps weights in another file"):
        self_contained(file)


def test_what_ends_too_soon_or_is_none_is_refused(tmp_path):
    whole = PLACES["branch"](INSIDE).SerializeToString()
    for content in (whole[:-1], b"no network", b"\x80" * 30, b"\x0b"):
        file = tmp_path / "network.onnx"
        file.write_bytes(content)
        with pytest.raises(RelocError, match="no whole ONNX model"):
            self_contained(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(RelocError, match="no whole ONNX model"):
        self_contained(tmp_path / "none.onnx")
