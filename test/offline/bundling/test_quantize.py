import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from scenes import noise_image, tiny_bundle

from reloc_ros.bundle import ONNX_MODEL
from reloc_ros.offline.bundling.quantize import compare, quantize


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.getbasetemp()) / ONNX_MODEL


@pytest.fixture(scope="module")
def target(source, tmp_path_factory):
    target = tmp_path_factory.mktemp("int8") / "network.int8.onnx"
    fidelity = quantize(source, target, pictures(0, 12), pictures(20, 6))
    assert 0 < fidelity.median_px < 3 and fidelity.missing < 0.6  # a random head is fickle
    return target


def pictures(first: int, count: int) -> list[np.ndarray]:
    return [noise_image(seed) for seed in range(first, first + count)]


def test_the_network_in_bytes_is_smaller_and_done_in_bytes(source, target):
    assert target.stat().st_size < 0.7 * source.stat().st_size
    kinds = [node.op_type for node in onnx.load(target).graph.node]
    assert kinds.count("QuantizeLinear") > 40


def test_the_heatmaps_are_not_rounded(target):
    graph = onnx.load(target).graph
    last = [node for node in graph.node if node.op_type == "Conv"][-1]
    makers = {output: node.op_type for node in graph.node for output in node.output}
    assert makers.get(last.output[0]) == "Conv"
    assert not any(last.output[0] in node.input for node in graph.node if node.op_type == "QuantizeLinear")


def test_a_network_is_as_good_as_itself(source):
    fidelity = compare(source, source, pictures(0, 3))
    assert fidelity.median_px == 0 and fidelity.missing == 0


def test_another_network_is_not_good(source, target, tmp_path):
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float16:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.flip(values).copy(), tensor.name))
    onnx.save(model, tmp_path / "other.onnx")
    other = compare(source, tmp_path / "other.onnx", pictures(0, 3))
    assert not other.good and other.missing > 0.8


KILLED = """
import os, sys
from pathlib import Path
from reloc_ros.offline.bundling.quantize import quantize

class Pictures(list):
    def __iter__(self):
        os.kill(os.getpid(), 9)

quantize(Path(sys.argv[1]), Path(sys.argv[2]), Pictures(), [])
"""


def test_a_killed_run_leaves_nothing_but_beside_its_target_where_the_next_clears_it_away(source, tmp_path):
    usual, target = tmp_path / "usual", tmp_path / "out" / "int8.onnx"
    usual.mkdir()
    environment = os.environ | {"TMPDIR": str(usual), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", KILLED, str(source), str(target)], env=environment)
    assert not list(usual.iterdir())
    assert [left.name[:5] for left in target.parent.iterdir()] == [".new-"]
    quantize(source, target, pictures(0, 2), pictures(20, 1))
    assert list(target.parent.iterdir()) == [target]


def test_two_runs_give_the_same_file(source, target, tmp_path):
    quantize(source, tmp_path / "again.onnx", pictures(0, 12), pictures(20, 2))
    assert (tmp_path / "again.onnx").read_bytes() == target.read_bytes()
