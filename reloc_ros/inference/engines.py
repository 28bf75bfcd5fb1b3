"""Inference engines: each opens files of a bundle as graphs."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import INT8_ONNX, NETWORK, ONNX, TORCH, Bundle, NetworkShape
from reloc_ros.errors import RelocError, first_line
from reloc_ros.inference.graphs import Graph
from reloc_ros.inference.onnx_file import self_contained
from reloc_ros.inference.processor import has_fast_bfloat16, has_fast_int8

logger = logging.getLogger(__name__)

HEIGHT_AXIS, WIDTH_AXIS = "height", "width"
"""What the sizes of the picture are called in the exported network."""


class OnnxGraph:
    """A session of ONNX Runtime."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._names = [given.name for given in session.get_inputs()]
        self.any_size = any(isinstance(size, str) for size in session.get_inputs()[0].shape)

    def __call__(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = self._session.run(
            None, dict(zip(self._names, inputs, strict=True))
        )
        return found


class OnnxEngine:
    """ONNX Runtime, on CUDA where its provider starts, else on the CPU.

    Precisions: fp32, and int8 on the CPU. `auto` is int8 where the processor is fast at it and the bundle has it.
    CUDA: not run on hardware yet.
    """

    def __init__(self, bundle: Bundle, threads: int, precision: str = "auto") -> None:
        _check_precision("onnx", precision, ("fp32", "int8"))
        self._onnxruntime, self._threads = import_onnxruntime(), threads
        available = self._onnxruntime.get_available_providers()
        self._wanted: list[Any] = ["CPUExecutionProvider"]
        if "CUDAExecutionProvider" in available and precision != "int8":
            self._wanted.insert(0, "CUDAExecutionProvider")
        if precision == "auto":
            on_cpu = len(self._wanted) == 1
            precision = "int8" if on_cpu and _int8_pays(bundle) else "fp32"
        self._precision, self.suffix = precision, INT8_ONNX if precision == "int8" else ONNX
        self.name = f"onnx ({precision})"

    def open(self, file: Path) -> Graph:
        session = _start_session(self._onnxruntime, file, self._threads, self._wanted)
        self.name = f"onnx ({_short(session.get_providers()[0])}, {self._precision})"
        return OnnxGraph(session)


class TensorRtEngine:
    """ONNX Runtime's TensorRT provider, fp16 unless fp32 is asked for, its engines cached. Not run on hardware yet."""

    suffix = ONNX

    def __init__(self, bundle: Bundle, threads: int, precision: str = "auto") -> None:
        _check_precision("tensorrt", precision, ("fp16", "fp32"))
        self._onnxruntime, self._threads, self._shape = import_onnxruntime(), threads, bundle.network
        available = self._onnxruntime.get_available_providers()
        if "TensorrtExecutionProvider" not in available:
            raise RelocError(
                "backend tensorrt needs an onnxruntime-gpu with TensorRT; this onnxruntime "
                f"{self._onnxruntime.__version__} offers {', '.join(map(_short, available))}"
            )
        options = {
            "trt_fp16_enable": precision != "fp32",
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(engine_cache(bundle, self._onnxruntime.__version__)),
        }
        self._wanted = [
            ("TensorrtExecutionProvider", options),
            "CUDAExecutionProvider",
            "CPUExecutionProvider",
        ]
        self.name = f"tensorrt ({'fp32' if precision == 'fp32' else 'fp16'})"

    def open(self, file: Path) -> Graph:
        # An engine is built for one size, for minutes.
        session = _start_session(self._onnxruntime, file, self._threads, self._wanted, self._shape)
        started = session.get_providers()[0]
        if started != "TensorrtExecutionProvider":
            raise RelocError(f"backend tensorrt could not start: onnxruntime fell back to {_short(started)}")
        return OnnxGraph(session)


class OpenVinoEngine:
    """OpenVINO on the CPU.

    Precisions: fp32, bf16 and int8. `auto` is int8 or else bf16 where the processor is fast at it, else fp32.
    """

    def __init__(self, bundle: Bundle, threads: int, precision: str = "auto") -> None:
        _check_precision("openvino", precision, ("fp32", "bf16", "int8"))
        try:
            with openvino_unreported():
                import openvino
        except ImportError as error:
            raise RelocError("backend openvino is not installed; run pip install openvino") from error
        chosen = precision
        if precision == "auto":
            chosen = "int8" if _int8_pays(bundle) else "bf16" if has_fast_bfloat16() else "fp32"
        hint = "bf16" if chosen == "bf16" else "f32"
        self._options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if threads > 0:
            self._options["INFERENCE_NUM_THREADS"] = str(threads)
        self._core, self.suffix = openvino.Core(), INT8_ONNX if chosen == "int8" else ONNX
        self.name = f"openvino (CPU, {chosen})"

    def open(self, file: Path) -> Graph:
        try:
            return OpenVinoGraph(self._core, self._core.read_model(self_contained(file)), self._options)
        except RuntimeError as error:
            raise RelocError(f"backend openvino could not start: {first_line(error)}") from error


class OpenVinoGraph:
    """A model of OpenVINO, compiled for each size that comes: it is fastest where it knows that beforehand."""

    def __init__(self, core: Any, model: Any, options: dict[str, str]) -> None:
        self._core, self._model, self._options = core, model, options
        self._requests: dict[tuple[tuple[int, ...], ...], Any] = {}
        self.any_size = model.is_dynamic()

    def __call__(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        request = self._request(tuple(given.shape for given in inputs))
        request.infer(dict(enumerate(inputs)), share_inputs=True)
        return [tensor.data.copy() for tensor in request.output_tensors]

    def _request(self, shapes: tuple[tuple[int, ...], ...]) -> Any:
        if shapes not in self._requests:
            if self.any_size:
                self._model.reshape(dict(enumerate(map(list, shapes))))
            compiled = self._core.compile_model(self._model, "CPU", self._options)
            self._requests[shapes] = compiled.create_infer_request()
        return self._requests[shapes]


class TorchEngine:
    """PyTorch in fp32, on CUDA where it is available, else on the CPU. CUDA: not run on hardware yet."""

    suffix = TORCH

    def __init__(self, bundle: Bundle, threads: int, precision: str = "auto") -> None:
        _check_precision("torch", precision, ("fp32",))
        if bundle.network.places:
            raise RelocError("backend torch runs no maps of several places; use onnx or openvino")
        bundle.file(NETWORK + TORCH)  # said before what is not installed
        try:
            import torch
        except ImportError as error:
            raise RelocError("backend torch is not installed; run pip install torch") from error
        if threads > 0:
            torch.set_num_threads(threads)
        self._torch, self._shape = torch, bundle.network
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.name = f"torch ({self._device.type.upper()}, fp32)"

    def open(self, file: Path) -> Graph:
        from reloc_ros.inference.network import load_network  # needs torch

        return TorchGraph(self._torch, load_network(file, self._shape).to(self._device), self._device)


class TorchGraph:
    """A module of PyTorch."""

    any_size = True

    def __init__(self, torch: Any, module: Any, device: Any) -> None:
        self._torch, self._module, self._device = torch, module, device

    def __call__(self, *inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        with self._torch.inference_mode():
            # Copies: an image that came in a message may only be read, which torch does not know.
            given = [self._torch.tensor(array).to(self._device) for array in inputs]
            return [self._module(*given).cpu().numpy()]


def engine_cache(bundle: Bundle, version: str) -> Path:
    """Folder for TensorRT engines of this very model, GPU and version: none is ever used for another."""
    key = hashlib.sha256(
        f"{bundle.files[bundle.first_model + ONNX]} {_gpu_name()} {version}".encode()
    ).hexdigest()[:16]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "reloc_ros" / "tensorrt" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _gpu_name() -> str:
    """The GPUs' names from the driver, without importing CUDA bindings."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for file in files for line in file.read_text().splitlines() if line.startswith("Model:")]
    return " ".join(lines) or "no GPU"


def _check_precision(backend: str, precision: str, possible: tuple[str, ...]) -> None:
    if precision not in ("auto", *possible):
        raise RelocError(f"backend {backend} has no precision {precision}; use auto, {', '.join(possible)}")


def _int8_pays(bundle: Bundle) -> bool:
    if (file := bundle.first_model + INT8_ONNX) not in bundle.files:
        logger.debug("precision int8 not used: bundle %s has no %s", bundle.path, file)
        return False
    if not has_fast_int8():
        logger.debug("precision int8 not used: this processor has no dot products of bytes (VNNI, or ARM's)")
        return False
    return True


def import_onnxruntime() -> Any:
    """ONNX Runtime, which from 1.29 on reports to its maker unless told otherwise before it is imported."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise RelocError("backend onnx is not installed; run pip install onnxruntime") from error
    return onnxruntime


@contextlib.contextmanager
def openvino_unreported() -> Iterator[None]:
    """OpenVINO reports its import, and each conversion, to its maker everywhere but in continuous integration."""
    usual = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        yield
    finally:
        if usual is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = usual


def _threads_within_mask() -> int:
    """The processors that this process may use where those are not all, else 0: the engine's own choice.

    ONNX Runtime's default pins a worker to each core of the machine, those outside of the process's mask included.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return allowed if allowed < (os.cpu_count() or 0) else 0


def _start_session(
    onnxruntime: Any, file: Path, threads: int, providers: list[Any], fixed: NetworkShape | None = None
) -> Any:
    """A session for pictures of any size, if the model is, or fixed to that of a shape."""
    options = onnxruntime.SessionOptions()
    if fixed is not None:
        options.add_free_dimension_override_by_name(HEIGHT_AXIS, fixed.height)
        options.add_free_dimension_override_by_name(WIDTH_AXIS, fixed.width)
    options.intra_op_num_threads = threads or _threads_within_mask()
    options.log_severity_level = 3
    # Idle threads sleep instead of spinning: a robot has other work for its cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = str(self_contained(file))
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # onnxruntime's exception classes have no common public base
        raise RelocError(f"onnxruntime could not start {file}: {first_line(error)}") from error


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")
