"""Backends by name: the network of a bundle on an inference engine, ready to run."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from reloc_ros.bundle import Bundle
from reloc_ros.errors import RelocError, first_line
from reloc_ros.inference.engines import OnnxEngine, OpenVinoEngine, TensorRtEngine, TorchEngine
from reloc_ros.inference.graphs import Backend, Engine, open_network

logger = logging.getLogger(__name__)

PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")

BACKENDS: dict[str, Callable[[Bundle, int, str], Engine]] = {
    "onnx": OnnxEngine,
    "openvino": OpenVinoEngine,
    "torch": TorchEngine,
    "tensorrt": TensorRtEngine,
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
        return _started(bundle, BACKENDS[name](bundle, threads, precision))
    reasons = []
    for candidate in AUTO_ORDER:
        try:
            backend = _started(bundle, BACKENDS[candidate](bundle, threads, precision))
        except RelocError as error:
            logger.warning("backend %s not used: %s", candidate, error)
            reasons.append(f"{candidate}: {error}")
        else:
            logger.info("backend: %s", backend.name)
            return backend
    raise RelocError("no backend can start: " + "; ".join(reasons))


def _started(bundle: Bundle, engine: Engine) -> Backend:
    """A backend that has run once for each size: memory is allocated, and a model of another shape is found, now."""
    backend = open_network(bundle, engine)
    glance = bundle.network.at(bundle.calibration.glance) if backend.any_size else None
    for shape in filter(None, (bundle.network, glance)):
        try:
            blank = np.zeros((shape.height, shape.width, 3), dtype=np.uint8)
            keypoints = [backend.infer(blank, attempt) for attempt in range(backend.attempts)][-1]
        except Exception as error:  # each engine has kinds of its own
            raise RelocError(
                f"the network of {bundle.path} does not run on {backend.name} ({first_line(error)}); export it again"
            ) from error
        if keypoints.shape != (shape.landmarks, 4):
            raise RelocError(
                f"the network of {bundle.path} returns {keypoints.shape}, not ({shape.landmarks}, 4); export it again"
            )
    return backend
