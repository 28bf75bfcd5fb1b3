import dataclasses
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from scenes import TINY_SHAPE, noise_image, tiny_bundle

from reloc_ros.bundle import INT8_MODEL, ONNX_MODEL, TORCH_MODEL, Bundle
from reloc_ros.errors import RelocError
from reloc_ros.inference.backends import BACKENDS, make_backend
from reloc_ros.inference.engines import engine_cache, import_onnxruntime
from reloc_ros.inference.processor import has_fast_int8
from reloc_ros.io.manifest import read_manifest, write_manifest
from reloc_ros.offline.bundling.quantize import quantize

ENGINES = ["onnx", "openvino", "torch"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    return Bundle.load(tiny_bundle(tmp_path_factory.getbasetemp()))


@pytest.fixture
def damaged(bundle, tmp_path):
    """A function that gives a copy of the bundle with a file replaced and its hash set right, or removed."""

    def replace(name: str, content: bytes | None, **manifest_changes) -> Bundle:
        path = tmp_path / "damaged.bundle"
        shutil.copytree(bundle.path, path)
        manifest = read_manifest(path) | manifest_changes
        if content is None:
            (path / name).unlink()
            del manifest["files"][name]
        else:
            (path / name).write_bytes(content)
            manifest["files"][name] = hashlib.sha256(content).hexdigest()
        write_manifest(path, manifest)
        return Bundle.load(path)

    return replace


@pytest.fixture(scope="module")
def backends(bundle):
    return {name: make_backend(bundle, name, precision="fp32") for name in ENGINES}


def test_every_engine_returns_the_same_keypoints(backends):
    distinct = set()
    for seed in range(6):
        image = noise_image(seed)
        expected = backends["onnx"].infer(image)
        assert expected.shape == (TINY_SHAPE.landmarks, 4) and expected.dtype == np.float32
        distinct.add(expected.tobytes())
        for name in ("openvino", "torch"):
            found = backends[name].infer(image)
            assert found.shape == expected.shape and found.dtype == np.float32
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
    assert len(distinct) == 6


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_network_in_bytes_is_run_in_int8(bundle, damaged, name, tmp_path):
    quantize(
        bundle.path / ONNX_MODEL,
        tmp_path / INT8_MODEL,
        [noise_image(seed) for seed in range(8)],
        [noise_image(9)],
    )
    with_int8 = damaged(INT8_MODEL, (tmp_path / INT8_MODEL).read_bytes())
    backend = make_backend(with_int8, name, precision="int8")
    assert "int8" in backend.name
    reference, found = (
        make_backend(bundle, name, precision="fp32").infer(noise_image(0)),
        backend.infer(noise_image(0)),
    )
    assert not np.array_equal(found, reference)
    assert np.corrcoef(found[:, 2], reference[:, 2])[0, 1] > 0.8
    wanted = "int8" if has_fast_int8() else "fp32"
    assert wanted in make_backend(with_int8, "onnx").name


def test_half_precision_is_near_the_full_one(bundle, backends):
    backend = make_backend(bundle, "openvino", precision="bf16")
    assert "bf16" in backend.name
    for seed in range(3):
        found, expected = backend.infer(noise_image(seed)), backends["openvino"].infer(noise_image(seed))
        assert np.abs(found[:, 2] - expected[:, 2]).max() < 0.1
        near = np.linalg.norm(found[:, :2] - expected[:, :2], axis=1) < 2
        assert near.mean() >= 0.75  # where two peaks are as high, the last digits decide between them


@pytest.mark.parametrize(
    ("name", "precision"), [("onnx", "bf16"), ("torch", "int8"), ("openvino", "fp16"), ("tensorrt", "int8")]
)
def test_a_precision_that_an_engine_has_not_is_one_sentence(bundle, name, precision):
    with pytest.raises(RelocError, match=f"backend {name} has no precision {precision}; use auto"):
        make_backend(bundle, name, precision=precision)


def test_an_unknown_precision_is_one_sentence(bundle):
    with pytest.raises(RelocError, match="unknown precision 'int4'; use auto, fp32"):
        make_backend(bundle, precision="int4")


def test_int8_asked_of_a_bundle_without_it_is_one_sentence(bundle):
    with pytest.raises(RelocError, match=r"has no network\.int8\.onnx"):
        make_backend(bundle, "onnx", precision="int8")


def test_the_network_under_test_has_clear_and_different_opinions(backends):
    found = np.stack([backends["onnx"].infer(noise_image(seed)) for seed in range(6)])
    assert found[..., 0].std() > 10 and found[..., 1].std() > 10
    assert found[..., 2].min() < 0.5 < found[..., 2].max()


@pytest.mark.parametrize("name", ENGINES)
def test_engine_leaves_its_result_alone_when_asked_again(backends, name):
    first = backends[name].infer(noise_image(0))
    kept = first.copy()
    backends[name].infer(noise_image(1))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("name", ENGINES)
def test_engine_takes_an_image_that_may_only_be_read(backends, name):
    image = noise_image(0)
    readonly = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)  # as a message is read
    np.testing.assert_array_equal(backends[name].infer(readonly), backends[name].infer(image))


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_thread_count_does_not_change_the_result(bundle, backends, name):
    single = make_backend(bundle, name, threads=1, precision="fp32")
    np.testing.assert_allclose(
        single.infer(noise_image(0)), backends[name].infer(noise_image(0)), rtol=1e-3, atol=1e-2
    )


def test_the_engine_keeps_to_the_processors_that_the_process_may_use(bundle):
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs Linux and two processors")
    script = (
        "import os, sys; from pathlib import Path; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from reloc_ros.bundle import Bundle; from reloc_ros.inference.backends import make_backend; "
        f"kept = make_backend(Bundle.load({str(bundle.path)!r}), 'onnx', precision='fp32'); "
        "masks = {os.sched_getaffinity(int(task.name)) == os.sched_getaffinity(0) "
        "for task in Path('/proc/self/task').iterdir()}; print(masks)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "{True}"


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_an_engine_does_not_keep_a_diary_for_its_maker(bundle, tmp_path, name):
    script = (
        "from reloc_ros.bundle import Bundle; from reloc_ros.inference.backends import make_backend; "
        f"make_backend(Bundle.load({str(bundle.path)!r}), {name!r})"
    )
    kept_in = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME"), str(tmp_path))
    environment = os.environ | kept_in | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_who_wants_the_diary_may_have_it(monkeypatch):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    import_onnxruntime()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


def test_unknown_backend_is_refused_and_the_known_ones_named(bundle):
    with pytest.raises(RelocError, match="unknown backend 'cuda'; use auto, onnx, openvino, torch, tensorrt"):
        make_backend(bundle, "cuda")


def test_tensorrt_that_is_not_there_is_an_error_that_says_what_is(bundle):
    if "TensorrtExecutionProvider" in import_onnxruntime().get_available_providers():
        pytest.skip("this machine has TensorRT")
    with pytest.raises(RelocError, match=r"needs an onnxruntime-gpu with TensorRT; this onnxruntime .* CPU"):
        make_backend(bundle, "tensorrt")


def test_auto_takes_the_first_and_says_which(bundle, caplog):
    with caplog.at_level(logging.INFO, "reloc_ros.inference.backends"):
        assert make_backend(bundle).name.startswith("onnx")
    assert "backend: onnx" in caplog.text and "backend onnx not used" not in caplog.text


def test_auto_falls_back_and_logs_why(bundle, monkeypatch, caplog):
    def refuse(*_):
        raise RelocError("backend onnx is not installed; run pip install onnxruntime")

    monkeypatch.setitem(BACKENDS, "onnx", refuse)
    assert make_backend(bundle).name.startswith("openvino")
    assert "backend onnx not used: backend onnx is not installed" in caplog.text


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_model_that_is_no_onnx_is_a_sentence(damaged, name):
    broken = damaged(ONNX_MODEL, b"not a network")
    with pytest.raises(RelocError, match="could not start") as caught:
        make_backend(broken, name)
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_torch_file_are_a_sentence(damaged):
    broken = damaged(TORCH_MODEL, b"not a network")
    with pytest.raises(RelocError, match=r"network\.pt does not hold this network's weights"):
        make_backend(broken, "torch")


def test_auto_says_why_nothing_starts(damaged, caplog):
    broken = damaged(ONNX_MODEL, None)
    shutil.copyfile(broken.path / TORCH_MODEL, broken.path / "spare")
    (broken.path / TORCH_MODEL).write_bytes(b"broken since it was loaded")
    with pytest.raises(RelocError, match=r"no backend can start: onnx: .* openvino: .* torch: "):
        make_backend(broken)


def test_named_backend_whose_file_was_left_out_is_refused(damaged):
    with pytest.raises(RelocError, match=r"has no network\.pt"):
        make_backend(damaged(TORCH_MODEL, None), "torch")


def fixed_to_its_size(model_file: Path) -> bytes:
    """A network as it was exported before it took pictures of any size."""
    model = onnx.load(model_file)
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    sizes[1].dim_value, sizes[2].dim_value = TINY_SHAPE.height, TINY_SHAPE.width
    return model.SerializeToString()


@pytest.mark.parametrize("name", ["onnx", "openvino", "torch"])
def test_pictures_of_half_the_size_give_what_torch_gives(bundle, name):
    image = noise_image(3)[:64, :96]
    backend = make_backend(bundle, name, precision="fp32")
    assert backend.any_size
    np.testing.assert_allclose(backend.infer(image), make_backend(bundle, "torch").infer(image), atol=1e-2)
    np.testing.assert_allclose(
        backend.infer(noise_image(3)), make_backend(bundle, "torch").infer(noise_image(3)), atol=1e-2
    )


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_network_of_one_size_is_known_for_that(damaged, bundle, name):
    fixed = damaged(ONNX_MODEL, fixed_to_its_size(bundle.file(ONNX_MODEL)))
    backend = make_backend(fixed, name, precision="fp32")
    assert not backend.any_size and backend.infer(noise_image(0)).shape == (TINY_SHAPE.landmarks, 4)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_model_of_another_input_size_is_a_sentence(damaged, bundle, name):
    shape = dataclasses.asdict(TINY_SHAPE) | {"width": 160}
    other = damaged(ONNX_MODEL, fixed_to_its_size(bundle.file(ONNX_MODEL)), network=shape)
    with pytest.raises(RelocError, match="export it again"):
        make_backend(other, name)


def test_torch_weights_of_another_number_of_landmarks_are_a_sentence(bundle):
    shape = dataclasses.replace(TINY_SHAPE, landmarks=9)
    with pytest.raises(RelocError, match="does not hold this network's weights"):
        make_backend(dataclasses.replace(bundle, network=shape), "torch")


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_onnx_of_another_number_of_landmarks_is_a_sentence(bundle, name):
    shape = dataclasses.replace(TINY_SHAPE, landmarks=9)
    with pytest.raises(RelocError, match=r"returns \(8, 4\), not \(9, 4\); export it again"):
        make_backend(dataclasses.replace(bundle, network=shape), name)


def test_engine_cache_is_one_folder_for_each_model_and_version(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = engine_cache(bundle, "1.20")
    assert folder.is_dir() and folder.is_relative_to(tmp_path)
    assert engine_cache(bundle, "1.20") == folder
    assert engine_cache(bundle, "1.21") != folder
    retrained = dataclasses.replace(bundle, files={**bundle.files, ONNX_MODEL: "0" * 64})
    assert engine_cache(retrained, "1.20") != folder


def test_localizing_with_onnx_imports_nothing_heavy(bundle):
    code = (
        "import sys, numpy as np\n"
        "from reloc_ros.localizer import Localizer\n"
        f"localizer = Localizer.from_bundle({str(bundle.path)!r}, 'onnx')\n"
        "localizer.localize(np.zeros((480, 640, 3), np.uint8))\n"
        "heavy = {'torch', 'lightning', 'rclpy', 'pycolmap', 'openvino', 'scipy', 'matplotlib', 'viser', 'onnx'}\n"
        "print('loaded:', *sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "loaded:"
