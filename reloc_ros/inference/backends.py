"""Inference engines behind one small protocol: an image at the network's size in, K keypoints out."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import INT8_MODEL, ONNX_MODEL, TORCH_MODEL, Bundle
from reloc_ros.errors import RelocError, first_line
from reloc_ros.inference.onnx_file import self_contained
from reloc_ros.inference.processor import has_fast_bfloat16, has_fast_int8

logger = logging.getLogger(__name__)

HEIGHT_AXIS, WIDTH_AXIS = "height", "width"
"""What the sizes of the picture are called in the exported network."""
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")


class Backend(Protocol):
    """A started engine. Decode is inside its graph, so all return the same K x (x, y, score, sigma)."""

    name: str
    """The engine and the device it runs on, for people."""

    @property
    def any_size(self) -> bool:
        """Whether it takes pictures of any size in multiples of 32 pixels, or only of the bundle's."""

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 BGR -> (K, 4): x, y, score, sigma; pixels are the picture's."""


class _OnnxRuntime:
    """A session of ONNX Runtime."""

    _session: Any

    @property
    def any_size(self) -> bool:
        return any(isinstance(size, str) for size in self._session.get_inputs()[0].shape)

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._session.run(None, {"image": image[None]})[0][0], np.float32)


class OnnxBackend(_OnnxRuntime):
    """ONNX Runtime, on CUDA where its provider starts, else on the CPU.

    Precisions: fp32, and int8 on the CPU. `auto` is int8 where the processor is fast at it and the bundle has it.
    CUDA: not run on hardware yet.
    """

    def __init__(self, bundle: Bundle, threads: int, precision: str = "auto") -> None:
        _check_precision("onnx", precision, ("fp32", "int8"))
        onnxruntime = _import_onnxruntime()
        wanted: list[Any] = ["CPUExecutionProvider"]
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers() and precision != "int8":
            wanted.insert(0, "CUDAExecutionProvider")
        if precision == "auto":
            on_cpu = len(wanted) == 1
            precision = "int8" if on_cpu and _int8_pays(bundle) else "fp32"
        model = INT8_MODEL if precision == "int8" else ONNX_MODEL
        self._session = _start_session(onnxruntime, bundle, threads, wanted, model)
        self.name = f"onnx ({_short(self._session.get_providers()[0])}, {precision})"


class TensorRtBackend(_OnnxRuntime):
    """ONNX Runtime's TensorRT provider, fp16 unless fp32 is asked for, its engines cached. Not run on hardware yet."""

    def __init__(self, bundle: Bundle, threads: int, precision: str = "auto") -> None:
        _check_precision("tensorrt", precision, ("fp16", "fp32"))
        onnxruntime = _import_onnxruntime()
        available = onnxruntime.get_available_providers()
        if "TensorrtExecutionProvider" not in available:
            raise RelocError(
                "backend tensorrt needs an onnxruntime-gpu with TensorRT; this onnxruntime "
                f"{onnxruntime.__version__} offers {', '.join(map(_short, available))}"
            )
        options = {
            "trt_fp16_enable": precision != "fp32",
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(engine_cache(bundle, onnxruntime.__version__)),
        }
        wanted = [("TensorrtExecutionProvider", options), "CUDAExecutionProvider", "CPUExecutionProvider"]
        # An engine is built for one size, for minutes.
        self._session = _start_session(onnxruntime, bundle, threads, wanted, fixed=True)
        started = self._session.get_providers()[0]
        if started != "TensorrtExecutionProvider":
            raise RelocError(f"backend tensorrt could not start: onnxruntime fell back to {_short(started)}")
        self.name = f"tensorrt ({'fp32' if precision == 'fp32' else 'fp16'})"


class OpenVinoBackend:
    """OpenVINO on the CPU.

    Precisions: fp32, bf16 and int8. `auto` is int8 or else bf16 where the processor is fast at it, else fp32.
    """

    def __init__(self, bundle: Bundle, threads: int, precision: str = "auto") -> None:
        _check_precision("openvino", precision, ("fp32", "bf16", "int8"))
        try:
            import openvino
        except ImportError as error:
            raise RelocError("backend openvino is not installed; run pip install openvino") from error
        chosen = precision
        if precision == "auto":
            chosen = "int8" if _int8_pays(bundle) else "bf16" if has_fast_bfloat16() else "fp32"
        hint = "bf16" if chosen == "bf16" else "f32"
        options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if threads > 0:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        self._core, self._options = openvino.Core(), options
        self._requests: dict[tuple[int, ...], Any] = {}
        try:
            model = self_contained(bundle.file(INT8_MODEL if chosen == "int8" else ONNX_MODEL))
            self._model = self._core.read_model(model)
            self.any_size = self._model.is_dynamic()
            self._request((bundle.network.height, bundle.network.width, 3))
        except RuntimeError as error:
            raise RelocError(f"backend openvino could not start: {first_line(error)}") from error
        self.name = f"openvino (CPU, {chosen})"

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        request = self._request(image.shape)
        request.infer({0: image[None]}, share_inputs=True)
        return np.asarray(request.get_output_tensor(0).data[0].copy(), np.float32)

    def _request(self, shape: tuple[int, ...]) -> Any:
        """What runs pictures of a shape: OpenVINO is fastest where it knows that beforehand."""
        if shape not in self._requests:
            if self.any_size:
                self._model.reshape([1, *shape])
            compiled = self._core.compile_model(self._model, "CPU", self._options)
            self._requests[shape] = compiled.create_infer_request()
        return self._requests[shape]


class TorchBackend:
    """PyTorch in fp32, on CUDA where it is available, else on the CPU. CUDA: not run on hardware yet."""

    any_size = True

    def __init__(self, bundle: Bundle, threads: int, precision: str = "auto") -> None:
        _check_precision("torch", precision, ("fp32",))
        path = bundle.file(TORCH_MODEL)
        try:
            import torch
        except ImportError as error:
            raise RelocError("backend torch is not installed; run pip install torch") from error
        from reloc_ros.inference.network import load_network  # needs torch

        if threads > 0:
            torch.set_num_threads(threads)
        self._torch = torch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = load_network(path, bundle.network).to(self._device)
        self.name = f"torch ({self._device.type.upper()}, fp32)"

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            # A copy: an image that came in a message may only be read, which torch does not know.
            batch = self._torch.tensor(image)[None].to(self._device)
            return np.asarray(self._network(batch)[0].cpu().numpy(), np.float32)


BACKENDS: dict[str, Callable[[Bundle, int, str], Backend]] = {
    "onnx": OnnxBackend,
    "openvino": OpenVinoBackend,
    "torch": TorchBackend,
    "tensorrt": TensorRtBackend,
}
AUTO_ORDER = ("onnx", "openvino", "torch")
"""TensorRT is never started unasked: building its engine can take minutes."""


def make_backend(bundle: Bundle, name: str = "auto", threads: int = 0, precision: str = "auto") -> Backend:
    """Start a backend by name; `threads` = 0 leaves their number to the engine.

    `auto` takes the first of `AUTO_ORDER` that starts, in that precision, and logs why the others did not.

    Raises:
        RelocError: when the named backend, or none of them, can start.
    """
    if precision not in PRECISIONS:
        raise RelocError(f"unknown precision {precision!r}; use {', '.join(PRECISIONS)}")
    if name != "auto":
        if name not in BACKENDS:
            raise RelocError(f"unknown backend {name!r}; use auto, {', '.join(BACKENDS)}")
        return _started(BACKENDS[name](bundle, threads, precision), bundle)
    reasons = []
    for candidate in AUTO_ORDER:
        try:
            backend = _started(BACKENDS[candidate](bundle, threads, precision), bundle)
        except RelocError as error:
            logger.warning("backend %s not used: %s", candidate, error)
            reasons.append(f"{candidate}: {error}")
        else:
            logger.info("backend: %s", backend.name)
            return backend
    raise RelocError("no backend can start: " + "; ".join(reasons))


def engine_cache(bundle: Bundle, version: str) -> Path:
    """Folder for TensorRT engines of this very model, GPU and version: none is ever used for another."""
    key = hashlib.sha256(f"{bundle.files[ONNX_MODEL]} {_gpu_name()} {version}".encode()).hexdigest()[:16]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "reloc_ros" / "tensorrt" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _gpu_name() -> str:
    """The GPUs' names from the driver, without importing CUDA bindings."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for file in files for line in file.read_text().splitlines() if line.startswith("Model:")]
    return " ".join(lines) or "no GPU"


def _started(backend: Backend, bundle: Bundle) -> Backend:
    """Run the backend once for each size: memory is allocated now, and a model of another shape is found now."""
    for shape in filter(None, (bundle.network, bundle.network.glance if backend.any_size else None)):
        try:
            keypoints = backend.infer(np.zeros((shape.height, shape.width, 3), dtype=np.uint8))
        except Exception as error:  # each engine has kinds of its own
            raise RelocError(
                f"the network of {bundle.path} does not run on {backend.name} ({first_line(error)}); export it again"
            ) from error
        if keypoints.shape != (shape.landmarks, 4):
            raise RelocError(
                f"the network of {bundle.path} returns {keypoints.shape}, not ({shape.landmarks}, 4); export it again"
            )
    return backend


def _check_precision(backend: str, precision: str, possible: tuple[str, ...]) -> None:
    if precision not in ("auto", *possible):
        raise RelocError(f"backend {backend} has no precision {precision}; use auto, {', '.join(possible)}")


def _int8_pays(bundle: Bundle) -> bool:
    if INT8_MODEL not in bundle.files:
        logger.debug("precision int8 not used: bundle %s has no %s", bundle.path, INT8_MODEL)
        return False
    if not has_fast_int8():
        logger.debug("precision int8 not used: this processor has no dot products of bytes (VNNI, or ARM's)")
        return False
    return True


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise RelocError("backend onnx is not installed; run pip install onnxruntime") from error
    return onnxruntime


def _threads_within_mask() -> int:
    """The processors that this process may use where those are not all, else 0: the engine's own choice.

    ONNX Runtime's default pins a worker to each core of the machine, those outside of the process's mask included.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return allowed if allowed < (os.cpu_count() or 0) else 0


def _start_session(
    onnxruntime: Any,
    bundle: Bundle,
    threads: int,
    providers: list[Any],
    model: str = ONNX_MODEL,
    fixed: bool = False,
) -> Any:
    """A session for pictures of any size, if the model is, or fixed to the bundle's."""
    options = onnxruntime.SessionOptions()
    if fixed:
        options.add_free_dimension_override_by_name(HEIGHT_AXIS, bundle.network.height)
        options.add_free_dimension_override_by_name(WIDTH_AXIS, bundle.network.width)
    options.intra_op_num_threads = threads or _threads_within_mask()
    options.log_severity_level = 3
    # Idle threads sleep instead of spinning: a robot has other work for its cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    file = str(self_contained(bundle.file(model)))
    try:
        return onnxruntime.InferenceSession(file, options, providers=providers)
    except Exception as error:  # onnxruntime's exception classes have no common public base
        raise RelocError(f"onnxruntime could not start {bundle.path / model}: {first_line(error)}") from error


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")
