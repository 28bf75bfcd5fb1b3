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

from reloc_ros.bundle import ONNX_MODEL, TORCH_MODEL, Bundle
from reloc_ros.errors import RelocError

logger = logging.getLogger(__name__)


class Backend(Protocol):
    """A started engine. Decode is inside its graph, so all return the same K x (x, y, score, sigma)."""

    name: str
    """The engine and the device it runs on, for people."""

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 BGR -> (K, 4): x, y, score, sigma; pixels are the network's."""
        ...


class OnnxBackend:
    """ONNX Runtime, on CUDA where its provider starts, else on the CPU.

    CUDA: not run on hardware yet.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        onnxruntime = _import_onnxruntime()
        available = onnxruntime.get_available_providers()
        wanted: list[Any] = ["CPUExecutionProvider"]
        if "CUDAExecutionProvider" in available:
            wanted.insert(0, "CUDAExecutionProvider")
        self._session = _start_session(onnxruntime, bundle, threads, wanted)
        self.name = f"onnx ({_short(self._session.get_providers()[0])})"

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._session.run(None, {"image": image[None]})[0][0]


class TensorRtBackend:
    """ONNX Runtime's TensorRT provider, half precision, its engines cached. Not run on hardware yet."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        onnxruntime = _import_onnxruntime()
        available = onnxruntime.get_available_providers()
        if "TensorrtExecutionProvider" not in available:
            raise RelocError(
                "backend tensorrt needs an onnxruntime-gpu with TensorRT; this onnxruntime "
                f"{onnxruntime.__version__} offers {', '.join(map(_short, available))}"
            )
        options = {
            "trt_fp16_enable": True,
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(engine_cache(bundle, onnxruntime.__version__)),
        }
        wanted = [("TensorrtExecutionProvider", options), "CUDAExecutionProvider", "CPUExecutionProvider"]
        self._session = _start_session(onnxruntime, bundle, threads, wanted)
        started = self._session.get_providers()[0]
        if started != "TensorrtExecutionProvider":
            raise RelocError(f"backend tensorrt could not start: onnxruntime fell back to {_short(started)}")
        self.name = "tensorrt (fp16)"

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._session.run(None, {"image": image[None]})[0][0]


class OpenVinoBackend:
    """OpenVINO on the CPU, in full precision so that it agrees with the others."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise RelocError("backend openvino is not installed; run pip install openvino") from error
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads > 0:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            core = openvino.Core()
            model = core.read_model(bundle.file(ONNX_MODEL))
            self._request = core.compile_model(model, "CPU", options).create_infer_request()
        except RuntimeError as error:
            raise RelocError(f"backend openvino could not start: {_first_line(error)}") from error
        self.name = "openvino (CPU)"

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._request.infer({0: image[None]}, share_inputs=True)
        return self._request.get_output_tensor(0).data[0].copy()


class TorchBackend:
    """PyTorch, on CUDA where it is available, else on the CPU. CUDA: not run on hardware yet."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        path = bundle.file(TORCH_MODEL)
        try:
            import torch
        except ImportError as error:
            raise RelocError("backend torch is not installed; run pip install torch") from error
        from reloc_ros.network import load_network  # needs torch

        if threads > 0:
            torch.set_num_threads(threads)
        self._torch = torch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = load_network(path, bundle.network).to(self._device)
        self.name = f"torch ({self._device.type.upper()})"

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            # A copy: an image that came in a message may only be read, which torch does not know.
            batch = self._torch.tensor(image)[None].to(self._device)
            return self._network(batch)[0].cpu().numpy()


BACKENDS: dict[str, Callable[[Bundle, int], Backend]] = {
    "onnx": OnnxBackend,
    "openvino": OpenVinoBackend,
    "torch": TorchBackend,
    "tensorrt": TensorRtBackend,
}
AUTO_ORDER = ("onnx", "openvino", "torch")
"""TensorRT is never started unasked: building its engine can take minutes."""


def make_backend(bundle: Bundle, name: str = "auto", threads: int = 0) -> Backend:
    """Start a backend by name; `threads` = 0 leaves their number to the engine.

    `auto` takes the first of `AUTO_ORDER` that starts and logs why the others did not.

    Raises:
        RelocError: when the named backend, or none of them, can start.
    """
    if name != "auto":
        if name not in BACKENDS:
            raise RelocError(f"unknown backend {name!r}; use auto, {', '.join(BACKENDS)}")
        return _started(BACKENDS[name](bundle, threads), bundle)
    reasons = []
    for candidate in AUTO_ORDER:
        try:
            backend = _started(BACKENDS[candidate](bundle, threads), bundle)
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
    """Run the backend once: memory is allocated now, and a model of another shape is found now."""
    shape = bundle.network
    try:
        keypoints = backend.infer(np.zeros((shape.height, shape.width, 3), dtype=np.uint8))
    except Exception as error:  # each engine has kinds of its own
        raise RelocError(
            f"the network of {bundle.path} does not run on {backend.name} ({_first_line(error)}); export it again"
        ) from error
    if keypoints.shape != (shape.landmarks, 4):
        raise RelocError(
            f"the network of {bundle.path} returns {keypoints.shape}, not ({shape.landmarks}, 4); export it again"
        )
    return backend


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise RelocError("backend onnx is not installed; run pip install onnxruntime") from error
    return onnxruntime


def _start_session(onnxruntime: Any, bundle: Bundle, threads: int, providers: list[Any]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads sleep instead of spinning: a robot has other work for its cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(bundle.file(ONNX_MODEL)), options, providers=providers)
    except RelocError:
        raise
    except Exception as error:  # onnxruntime's exception classes have no common public base
        raise RelocError(
            f"onnxruntime could not start {bundle.path / ONNX_MODEL}: {_first_line(error)}"
        ) from error


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
