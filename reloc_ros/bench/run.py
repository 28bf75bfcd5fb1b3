"""One run: everything that is asked for, measured one after the other, in one record."""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from reloc_ros.bench.growth import Growth, measure_growth
from reloc_ros.bench.memory import BACKEND, Memory, measure_feature_memory, measure_memory
from reloc_ros.bench.methods import (
    FIRST_PIPELINE,
    SIFT,
    SIFT_FULL,
    XFEAT,
    Absent,
    Engine,
    Method,
    Shot,
    Timing,
    best_method,
    clocked,
    our_methods,
    shrunk,
    time_methods,
)
from reloc_ros.bench.place import Place
from reloc_ros.bench.solvers import SolverScore, measure_solvers
from reloc_ros.errors import RelocError
from reloc_ros.offline.measuring.evaluate import Localize, evaluate
from reloc_ros.offline.measuring.features import FeatureBaseline
from reloc_ros.offline.measuring.scores import Score
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.photographs import read_photo

FORMAT = 1
PARTS = ("speed", "accuracy", "memory", "growth", "solvers")
DEGRADED = ("dark", "blur", "covered")
"""In which, and clean, accuracy is measured on images of the size that is timed, too."""
GROWTH_ROUNDS = 15
"""For each of the user's rounds over the images."""


@dataclass(frozen=True)
class Options:
    engines: tuple[Engine, ...]
    conditions: tuple[str, ...]
    threads: int = 0
    rounds: int = 3
    parts: tuple[str, ...] = PARTS
    xfeat: bool = False
    """Whether XFeat is a baseline, too; it is installed where it is not."""


@dataclass(frozen=True)
class Compared:
    """One of several workspaces, as a robot would run it."""

    name: str
    landmarks: int
    timing: Timing
    scores: tuple[Score, ...]

    def to_json(self) -> dict[str, Any]:
        figures = {"timing": self.timing.to_json(), "scores": [_brief(score) for score in self.scores]}
        return {"workspace": self.name, "landmarks": self.landmarks, **figures}


@dataclass(frozen=True)
class Results:
    """What one run measured; a part that was left out is empty."""

    place: str
    landmarks: int
    images: int
    taken: tuple[int, int]
    """Width and height of the images as they were taken."""
    machine: dict[str, Any]
    timings: tuple[Timing, ...] = ()
    scores: tuple[Score, ...] = ()
    """On the images as taken, by condition and method."""
    timed_scores: tuple[Score, ...] = ()
    """On the images of the size that is timed, clean and in some conditions, with the processor's time."""
    absent: tuple[Absent, ...] = ()
    files_bytes: dict[str, int] = field(default_factory=dict)
    memory: tuple[Memory, ...] = ()
    growth: Growth | None = None
    solvers: tuple[SolverScore, ...] = ()
    compared: tuple[Compared, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "kind": "reloc bench",
            "place": {"name": self.place}
            | {name: getattr(self, name) for name in ("landmarks", "images", "taken")},
            "machine": self.machine,
            "timings": [timing.to_json() for timing in self.timings],
            "scores": [_brief(score) for score in self.scores],
            "scores_at_timed_size": [_brief(score) for score in self.timed_scores],
            "not_run": {absent.name: absent.reason for absent in self.absent},
            "bundle_bytes": self.files_bytes,
            "memory": [asdict(memory) for memory in self.memory],
            "growth": None if self.growth is None else self.growth.to_json(),
            "solvers": [asdict(solver) for solver in self.solvers],
            "workspaces": [compared.to_json() for compared in self.compared],
        }


def measure(places: Sequence[Place], options: Options, progress: Progress = silent) -> Results:
    """Measure the first place in every way asked for, and, where there are several, each as a robot runs it."""
    place, parts = places[0], options.parts
    shots = [(read_photo(place.images_dir / query.name), query.camera) for query in place.queries]
    ours, absent = our_methods(place.bundle, options.engines, options.threads)
    if not ours:
        raise RelocError("; ".join(f"{one.name} does not run: {one.reason}" for one in absent))
    names = (
        [SIFT, *([XFEAT] if options.xfeat else [])] if {"speed", "accuracy", "memory"} & set(parts) else []
    )
    baselines = {name: made for name in names if (made := place.baseline(name, progress)) is not None}
    methods = [*(Method(name, baseline.localize) for name, baseline in baselines.items()), *ours]
    timings = _time(place, shots, methods, baselines.get(SIFT), options, progress) if "speed" in parts else []
    scores, timed_scores = _score_all(place, methods, options, progress) if "accuracy" in parts else ([], [])
    memory, unmeasured = _memory(place, shots, options, baselines, absent) if "memory" in parts else ([], [])
    return Results(
        place=place.name,
        landmarks=len(place.bundle.landmarks),
        images=len(place.queries),
        taken=shots[0][0].shape[1::-1],
        machine=describe_machine(),
        timings=tuple(timings),
        scores=tuple(scores),
        timed_scores=tuple(timed_scores),
        absent=(*absent, *unmeasured),
        files_bytes={file.name: file.stat().st_size for file in sorted(place.bundle.path.iterdir())},
        memory=tuple(memory),
        growth=_growth(place, options, progress) if "growth" in parts else None,
        solvers=tuple(measure_solvers()) if "solvers" in parts else (),
        compared=_compare(places, shots, options, progress) if len(places) > 1 else (),
    )


def _time(
    place: Place,
    shots: Sequence[Shot],
    methods: Sequence[Method],
    sift: FeatureBaseline | None,
    options: Options,
    progress: Progress,
) -> list[Timing]:
    from reloc_ros.bench.first_pipeline import FirstPipeline  # torch takes seconds to import

    first = FirstPipeline(place.bundle.landmarks.positions_map)
    others = [Method(FIRST_PIPELINE, first.localize)]
    if sift is not None and shots[0][0].shape != shrunk(*shots[0])[0].shape:
        others.append(Method(SIFT_FULL, sift.localize, full_size=True))
    return time_methods([*others, *methods], shots, options.rounds, progress=progress)


def _score_all(
    place: Place, methods: Sequence[Method], options: Options, progress: Progress
) -> tuple[list[Score], list[Score]]:
    """On images as taken, in every condition; and on those of the size that is timed, in some."""
    some = ("clean", *(condition for condition in DEGRADED if condition in options.conditions))
    timed = _score(place, [clocked(method) for method in methods], some, progress)
    return _score(place, methods, options.conditions, progress), timed


def _score(
    place: Place, methods: Sequence[Method], conditions: Sequence[str], progress: Progress
) -> list[Score]:
    by_name: dict[str, Localize] = {method.name: method.localize for method in methods}
    landmarks = place.bundle.landmarks
    return evaluate(by_name, place.queries, place.images_dir, landmarks, place.metric, conditions, progress)


def _memory(
    place: Place,
    shots: Sequence[Shot],
    options: Options,
    baselines: Mapping[str, FeatureBaseline],
    absent: Sequence[Absent],
) -> tuple[list[Memory], list[Absent]]:
    """Of each baseline and each precision that runs on ONNX Runtime; and what could not be measured."""
    small = [shrunk(*shot) for shot in shots]
    missing = {one.name for one in absent}
    measures = {
        name: partial(measure_feature_memory, name, baseline.known, small)
        for name, baseline in baselines.items()
    } | {
        engine.name: partial(measure_memory, place.bundle.path, small, engine.precision, options.threads)
        for engine in options.engines
        if engine.backend == BACKEND and engine.name not in missing
    }
    measured, unmeasured = [], []
    for name, measure_one in measures.items():
        try:
            measured.append(measure_one())
        except RelocError as error:
            unmeasured.append(Absent(f"memory, {name}", str(error)))
    return measured, unmeasured


def _growth(place: Place, options: Options, progress: Progress) -> Growth:
    with tempfile.TemporaryDirectory() as folder:
        rounds = GROWTH_ROUNDS * options.rounds
        return measure_growth(place.bundle.network, Path(folder), options.threads, rounds, progress=progress)


def _compare(
    places: Sequence[Place], shots: Sequence[Shot], options: Options, progress: Progress
) -> tuple[Compared, ...]:
    """All timed side by side on the first place's images; each scored on its own."""
    methods = [best_method(place.bundle, place.name, options.threads) for place in places]
    timings = time_methods(methods, shots, options.rounds, progress=progress)
    return tuple(
        Compared(
            place.name,
            len(place.bundle.landmarks),
            timing,
            tuple(_score(place, [method], options.conditions, progress)),
        )
        for place, method, timing in zip(places, methods, timings, strict=True)
    )


def describe_machine() -> dict[str, Any]:
    """What the times depend on."""
    versions = {}
    for package in ("numpy", "opencv-python-headless", "onnxruntime", "openvino", "torch", "poselib"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    load = [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions,
        "load_at_end": load,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _brief(score: Score) -> dict[str, Any]:
    """Without the single images and the times, which other images of other sizes have taken."""
    left_out = ("outcomes", "median_ms", "p95_ms")
    return {key: value for key, value in score.to_json().items() if key not in left_out}
