"""How the cost grows with the number of landmarks and with the resolution, on networks of random weights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reloc_ros.bench.solvers import FOCAL_PX, synthetic_matches
from reloc_ros.bundle import ONNX_MODEL, NetworkShape, write_bundle
from reloc_ros.cameras import Camera
from reloc_ros.inference.backends import make_backend
from reloc_ros.inference.graphs import Backend
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.training.recipe import heads_for
from reloc_ros.pose.pnp import Correspondences, make_solver, refine, reprojection_errors

LANDMARKS = (20, 64, 128, 256, 500, 1000)
SIZES = ((320, 240), (384, 288), (512, 384), (640, 480), (768, 576), (1024, 768))
BACKEND, PRECISION = "onnx", "fp32"
MAX_ERROR = 4 / FOCAL_PX


@dataclass(frozen=True)
class GrowthPoint:
    """What one size of network costs."""

    landmarks: int
    width: int
    height: int
    network_ms: float
    """Median time of the network, decode included."""
    pnp_ms: float
    """Median time to find and refine a pose from matches of all its landmarks, 40 % of them wrong."""


@dataclass(frozen=True)
class Growth:
    by_landmarks: tuple[GrowthPoint, ...]
    by_size: tuple[GrowthPoint, ...]

    def to_json(self) -> dict[str, Any]:
        return {"backend": BACKEND, "precision": PRECISION, **asdict(self)}


def measure_growth(
    shape: NetworkShape,
    folder: Path,
    threads: int,
    rounds: int,
    landmarks: Sequence[int] = LANDMARKS,
    sizes: Sequence[tuple[int, int]] = SIZES,
    progress: Progress = silent,
) -> Growth:
    """Vary one at a time, the landmarks and the size, of a network whose others are `shape`'s.

    More landmarks have more heads, as they would be trained.

    `folder` takes the exported networks. All are timed in turn, round by round, so that a busy moment hits all.
    """
    counted = [replace(shape, landmarks=count, groups=heads_for(count)) for count in landmarks]
    sized = [replace(shape, width=_to_stride(width), height=_to_stride(height)) for width, height in sizes]
    backends: dict[NetworkShape, Backend] = {}
    wanted = list(dict.fromkeys(counted + sized))
    for index, one in enumerate(wanted):
        backends[one] = _random_network(one, folder / str(index), threads)
        progress("export networks", index + 1, len(wanted))
    times_ms: dict[NetworkShape, list[tuple[float, float]]] = {one: [] for one in wanted}
    for turn in range(rounds):
        for one, backend in backends.items():
            times_ms[one].append(_time_once(one, backend, turn))
        progress("time networks", turn + 1, rounds)
    points = {
        one: GrowthPoint(one.landmarks, one.width, one.height, *_medians(times_ms[one])) for one in wanted
    }
    return Growth(tuple(points[one] for one in counted), tuple(points[one] for one in sized))


def _to_stride(pixels: int) -> int:
    return 32 * -(-pixels // 32)


def _random_network(shape: NetworkShape, folder: Path, threads: int) -> Backend:
    import torch  # only this needs it here

    from reloc_ros.inference.network import LandmarkNetwork
    from reloc_ros.offline.bundling.export import export_onnx

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    count = shape.landmarks
    toward = np.tile([0.0, 0.0, -1.0], (count, 1))
    bundle = write_bundle(
        folder,
        scale="unknown",
        camera=Camera("pinhole", shape.width, shape.height, 500.0, 500.0, shape.width / 2, shape.height / 2),
        network=shape,
        landmarks=Landmarks(np.arange(count), rng.uniform(-1, 1, (count, 3)), toward, np.ones(count)),
        made_from={"weights": "random"},
        write_models=lambda target: export_onnx(LandmarkNetwork(shape).eval(), target / ONNX_MODEL),
    )
    return make_backend(bundle, BACKEND, threads, PRECISION)


def _time_once(shape: NetworkShape, backend: Backend, turn: int) -> tuple[float, float]:
    """Time of the network and of the pose in ms."""
    rng = np.random.default_rng(turn)
    image = rng.integers(0, 256, (shape.height, shape.width, 3), dtype=np.uint8)
    matches, _ = synthetic_matches(rng, shape.landmarks)
    start = time.perf_counter()
    backend.infer(image)
    middle = time.perf_counter()
    _find_pose(matches)
    return 1e3 * (middle - start), 1e3 * (time.perf_counter() - middle)


def _find_pose(matches: Correspondences) -> None:
    pose = make_solver("auto")(matches, MAX_ERROR)
    if pose is not None:
        refine(pose, matches.subset(reprojection_errors(pose, matches) < MAX_ERROR))


def _medians(times_ms: Sequence[tuple[float, float]]) -> tuple[float, float]:
    network, pnp = zip(*times_ms, strict=True)
    return statistics.median(network), statistics.median(pnp)
