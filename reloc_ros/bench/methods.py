"""The methods that are compared, and their times side by side.

Ours by engine and precision, coarse and refined, and the baselines are timed method by method, image by image, so that
a busy moment hits them all.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import Bundle
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.inference.backends import make_backend
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig, Lost
from reloc_ros.offline.progress import Progress, silent

SIFT = "SIFT"
SIFT_FULL = f"{SIFT}, as taken"
XFEAT = "XFeat"
FIRST_PIPELINE = "first version"
COARSE, REFINED = "coarse", "refined"
PROCESSOR = "processor"
"""A stage of `clocked` methods: what all threads took."""
PRECISIONS = {
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "torch": ("fp32",),
    "tensorrt": ("fp16",),
}
"""What is measured of each backend. Bfloat16 and int8 run on any processor, but are fast on some only."""
TIMED_WIDTH = 640
"""Width of the camera images that are timed; of the scene's aspect, 640x480 for 4:3."""
PAUSE_S = 0.01
"""Between two methods, so that the one's threads have stopped waiting for more work before the other is timed."""


class Timed(Protocol):
    """What a localization returned, whichever it was."""

    @property
    def stage_ms(self) -> Mapping[str, float]: ...


Run = Callable[[NDArray[np.uint8], Camera], Timed]
Shot = tuple[NDArray[np.uint8], Camera]


@dataclass(frozen=True)
class Method:
    """Something that localizes."""

    name: str
    localize: Run
    full_size: bool = False
    """Timed on images as they were taken, not on those of `TIMED_WIDTH`."""


@dataclass(frozen=True)
class Timing:
    """The times of one method."""

    method: str
    width: int
    """Of the images, pixels."""
    height: int
    stages_ms: Mapping[str, tuple[float, ...]]
    """The samples of each stage, over the localized images where there are any: a lost one skips stages."""

    def percentile(self, stage: str, percent: float) -> float | None:
        """Of a stage's time in ms; None for a method that has no such stage."""
        samples = self.stages_ms.get(stage)
        return None if not samples else float(np.percentile(samples, percent))

    def to_json(self) -> dict[str, Any]:
        percentiles = {
            name: {stage: self.percentile(stage, percent) for stage in self.stages_ms}
            for name, percent in (("median_ms", 50), ("p95_ms", 95))
        }
        samples = max(map(len, self.stages_ms.values()))
        return {"method": self.method, "size": [self.width, self.height], "samples": samples, **percentiles}


def shrunk(image: NDArray[np.uint8], camera: Camera) -> Shot:
    """An image as a camera of `TIMED_WIDTH` would have taken it."""
    if image.shape[1] == TIMED_WIDTH:
        return image, camera
    height = round(image.shape[0] * TIMED_WIDTH / image.shape[1])
    flag = cv2.INTER_AREA if image.shape[1] > TIMED_WIDTH else cv2.INTER_CUBIC
    return cv2.resize(image, (TIMED_WIDTH, height), interpolation=flag), camera.resized(TIMED_WIDTH, height)


def clocked(method: Method, pause_s: float = PAUSE_S) -> Method:
    """A method on images of `TIMED_WIDTH` that tells its processor time, too; others' threads rest before it."""

    def localize(image: NDArray[np.uint8], camera: Camera) -> Localized | Lost:
        shot = shrunk(image, camera)
        time.sleep(pause_s)
        start = time.process_time()
        found = method.localize(*shot)
        took_ms = 1e3 * (time.process_time() - start)
        return dataclasses.replace(found, stage_ms={**found.stage_ms, PROCESSOR: took_ms})

    return Method(method.name, localize)


def time_methods(
    methods: Sequence[Method],
    shots: Sequence[Shot],
    rounds: int = 3,
    pause_s: float = PAUSE_S,
    progress: Progress = silent,
) -> list[Timing]:
    """Run every method on every image `rounds` times, after a warm-up, and keep their stages' times."""
    small = [shrunk(*shot) for shot in shots]
    results: list[list[Timed]] = [[] for _ in methods]
    for method in methods:
        method.localize(*(shots if method.full_size else small)[0])
    for turn in range(rounds * len(shots)):
        # Another one begins each time: whoever follows a large method finds its caches cold.
        for index in np.roll(np.arange(len(methods)), turn).tolist():
            method = methods[index]
            shot = (shots if method.full_size else small)[turn % len(shots)]
            time.sleep(pause_s)
            results[index].append(method.localize(*shot))
        progress("time", turn + 1, rounds * len(shots))
    timings = []
    for method, found in zip(methods, results, strict=True):
        camera = (shots if method.full_size else small)[0][1]
        timings.append(Timing(method.name, camera.width, camera.height, _stages(found)))
    return timings


def _stages(results: Sequence[Timed]) -> dict[str, tuple[float, ...]]:
    chosen = [result for result in results if not isinstance(result, Lost)] or results
    names = dict.fromkeys(stage for result in chosen for stage in result.stage_ms)
    return {
        name: tuple(result.stage_ms[name] for result in chosen if name in result.stage_ms) for name in names
    }


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
