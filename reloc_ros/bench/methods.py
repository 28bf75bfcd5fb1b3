"""The methods that are compared: ours by engine and precision, coarse and refined, and the two baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from reloc_ros.bench.timing import Method
from reloc_ros.bundle import Bundle
from reloc_ros.errors import RelocError
from reloc_ros.inference.backends import make_backend
from reloc_ros.localizer import Localizer, LocalizerConfig

SIFT = "SIFT"
SIFT_FULL = f"{SIFT}, as taken"
SEED = "first version"
COARSE, REFINED = "coarse", "refined"
PRECISIONS = {
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "torch": ("fp32",),
    "tensorrt": ("fp16",),
}
"""What is measured of each backend. Bfloat16 and int8 run on any processor, but are fast on some only."""


@dataclass(frozen=True)
class Engine:
    """A backend in a precision."""

    backend: str
    precision: str

    @property
    def name(self) -> str:
        return f"{self.backend} {self.precision}"


@dataclass(frozen=True)
class Absent:
    """An engine that does not run here."""

    name: str
    reason: str


def our_methods(bundle: Bundle, engines: Sequence[Engine], threads: int) -> tuple[list[Method], list[Absent]]:
    """Ours on every engine that starts, without refinement and, where the bundle has what it needs, with it."""
    methods, absent = [], []
    for engine in engines:
        try:
            backend = make_backend(bundle, engine.backend, threads, engine.precision)
        except RelocError as error:
            absent.append(Absent(engine.name, str(error)))
            continue
        for kind, config in _configs(bundle).items():
            methods.append(Method(f"{engine.name}, {kind}", Localizer(bundle, backend, config).localize))
    return methods, absent


def best_method(bundle: Bundle, name: str, threads: int) -> Method:
    """Ours as a robot runs it: the backend and precision that `auto` chooses, refined where that can be."""
    localizer = Localizer(bundle, make_backend(bundle, "auto", threads), LocalizerConfig())
    return Method(name, localizer.localize)


def _configs(bundle: Bundle) -> dict[str, LocalizerConfig]:
    config = LocalizerConfig()
    coarse = {COARSE: dataclasses.replace(config, refine=False)}
    return coarse | {REFINED: config} if bundle.references is not None else coarse
