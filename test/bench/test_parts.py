"""The parts that run networks, solvers and processes, on small ones."""

import subprocess
import sys

import numpy as np
import pytest
from feature_maps import make_feature_map
from scenes import TINY_CAMERA, TINY_SHAPE, noise_image, tiny_bundle

from reloc_ros.bench.growth import measure_growth
from reloc_ros.bench.memory import STATUS, measure_feature_memory, measure_memory
from reloc_ros.bench.methods import PRECISIONS, Engine, our_methods
from reloc_ros.bench.solvers import SOLVERS, measure_solvers, synthetic_matches
from reloc_ros.bundle import Bundle
from reloc_ros.errors import RelocError
from reloc_ros.inference.backends import BACKENDS
from reloc_ros.inference.backends import PRECISIONS as ALL_PRECISIONS
from reloc_ros.pose.pnp import reprojection_errors


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return Bundle.load(tiny_bundle(tmp_path_factory.getbasetemp()))


def test_synthetic_matches_have_their_share_of_outliers():
    matches, truth = synthetic_matches(np.random.default_rng(0), 400, 0.25)
    assert len(matches) == 400
    errors_px = 500 * reprojection_errors(truth, matches)
    assert np.count_nonzero(errors_px < 4) == pytest.approx(300, abs=4)
    assert np.median(errors_px[100:]) == pytest.approx(1.18, rel=0.15)  # of a Rayleigh distribution


def test_solvers_find_the_pose_and_say_how_well():
    scores = measure_solvers(trials=12)
    assert [score.name for score in scores] == list(SOLVERS)
    ran = [score for score in scores if score.reason is None]
    assert ran, scores
    for score in ran:
        assert score.trials == 12 and score.median_ms > 0
        assert score.median_deg < 0.5 and score.median_percent < 1
    assert ran[0].failed == 0


def test_engine_that_does_not_run_is_told_with_its_reason(bundle):
    methods, absent = our_methods(bundle, [Engine("onnx", "fp32"), Engine("onnx", "bf16")], 1)
    assert [method.name for method in methods] == ["onnx fp32, coarse"]
    assert [one.name for one in absent] == ["onnx bf16"] and "has no precision bf16" in absent[0].reason
    shot = noise_image(0, TINY_CAMERA.width, TINY_CAMERA.height), TINY_CAMERA
    assert methods[0].localize(*shot).stage_ms["network"] > 0


@pytest.mark.skipif(not STATUS.is_file(), reason=f"{STATUS} is not there")
def test_memory_is_that_of_a_process_that_localizes_without_torch(bundle):
    pytest.importorskip("onnxruntime")
    shot = noise_image(0, TINY_CAMERA.width, TINY_CAMERA.height), TINY_CAMERA
    memory = measure_memory(bundle.path, [shot], "fp32", threads=1)
    assert memory.name == "onnx fp32" and 0 < memory.map_mb < 20
    assert 30 < memory.resident_mb <= memory.peak_mb < 1000
    holding = (
        "import onnxruntime, re; print(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    bare = subprocess.run([sys.executable, "-c", holding], capture_output=True, text=True, check=True)
    assert memory.resident_mb > 1024e-6 * int(bare.stdout) * 0.8


@pytest.mark.skipif(not STATUS.is_file(), reason=f"{STATUS} is not there")
def test_memory_of_a_baseline_holds_its_map():
    shot = noise_image(0, TINY_CAMERA.width, TINY_CAMERA.height), TINY_CAMERA
    sizes = (100, 200_000)
    descriptors = np.random.default_rng(0).integers(0, 256, (200_000, 128)).astype(np.uint8)
    small, large = (
        measure_feature_memory(
            "SIFT", make_feature_map(descriptors[:n], np.arange(n), np.ones((n, 3))), [shot]
        )
        for n in sizes
    )
    assert 200_000 * 128 / 1e6 <= large.map_mb <= 200_000 * (128 + 4 + 28) / 1e6
    assert large.resident_mb > small.resident_mb + 100  # its descriptors in single precision


@pytest.mark.skipif(not STATUS.is_file(), reason=f"{STATUS} is not there")
def test_memory_of_a_process_that_fails_is_refused_with_its_reason(tmp_path):
    shot = noise_image(0), TINY_CAMERA.resized(TINY_SHAPE.width, TINY_SHAPE.height)
    with pytest.raises(RelocError, match=r"memory could not be measured: bundle .* is not a folder"):
        measure_memory(tmp_path / "nowhere", [shot], "fp32", threads=1)


@pytest.mark.slow
def test_growth_times_networks_of_every_size(tmp_path):
    growth = measure_growth(
        TINY_SHAPE, tmp_path, threads=1, rounds=2, landmarks=(4, 8), sizes=((128, 96), (100, 60))
    )
    assert [point.landmarks for point in growth.by_landmarks] == [4, 8]
    assert [(point.width, point.height) for point in growth.by_size] == [(128, 96), (128, 64)]
    assert growth.by_size[0] == growth.by_landmarks[1]
    assert all(point.network_ms > 0 and point.pnp_ms > 0 for point in growth.by_landmarks)


def test_every_backend_is_measured():
    assert tuple(PRECISIONS) == tuple(BACKENDS)
    assert all(set(of_one) <= set(ALL_PRECISIONS) for of_one in PRECISIONS.values())
