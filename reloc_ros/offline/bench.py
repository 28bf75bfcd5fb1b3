"""`scripts/bench`: how fast and how exact each part is, as ratios within one run."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from reloc_ros.backends import BACKENDS, make_backend
from reloc_ros.bundle import Bundle
from reloc_ros.demo.renderer import Renderer
from reloc_ros.demo.scene import reading_corner
from reloc_ros.demo.trajectories import CAMERA, stream
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig
from reloc_ros.pnp import Correspondences, make_solver, refine, reprojection_errors

console = Console()
EMBEDDED = Path(__file__).parents[1] / "demo" / "bundle"
RUNS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bundle", type=Path, default=EMBEDDED, help="bundle to measure (default: the embedded one)"
    )
    parser.add_argument("--threads", type=int, default=0, help="inference threads, 0: the engine's choice")
    options = parser.parse_args()
    bundle = Bundle.load(options.bundle)
    console.print(bench_backends(bundle, options.threads))
    console.print(bench_stages(bundle, options.threads))
    console.print(bench_solvers())


def median_ms(work: Callable[[], object], runs: int = RUNS) -> tuple[float, float]:
    """Median and 95th percentile of the time of `work`, after a warm-up."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times), float(np.percentile(times, 95))


def bench_backends(bundle: Bundle, threads: int) -> Table:
    """Time of the network alone, every engine on the same image, interleaved engine by engine."""
    shape = bundle.network
    image = np.random.default_rng(0).integers(0, 256, (shape.height, shape.width, 3), dtype=np.uint8)
    table = _table(
        f"network, {shape.width}x{shape.height}, {shape.landmarks} landmarks",
        "backend",
        "p50 ms",
        "p95 ms",
        "ratio",
    )
    baseline = None
    for name in BACKENDS:
        try:
            backend = make_backend(bundle, name, threads)
        except RelocError as error:
            table.add_row(name, "-", "-", str(error))
            continue
        middle, high = median_ms(lambda backend=backend: backend.infer(image))
        baseline = baseline or middle
        table.add_row(backend.name, f"{middle:.1f}", f"{high:.1f}", f"{middle / baseline:.2f}")
    return table


def bench_stages(bundle: Bundle, threads: int) -> Table:
    """Where the time of one localization goes, on rendered images of the demo's room at 640x480."""
    walk = stream()
    renderer = Renderer(reading_corner().faces, CAMERA)
    chosen = [i for i in np.flatnonzero(walk.in_view).tolist() if i % 12 == 0]
    images = [renderer.render(walk.camera_from_map[i]).image for i in chosen]
    table = _table("image to pose, 640x480, onnx", "stage", "p50 ms", "p95 ms", "share")
    localizer = Localizer(bundle, make_backend(bundle, "onnx", threads), LocalizerConfig())
    results = [localizer.localize(image, CAMERA) for image in images * 3]
    found = [result.stage_ms for result in results if isinstance(result, Localized)]
    if not found:
        raise RelocError(f"bundle {bundle.path} localizes none of the demo's images; give the embedded one")
    total = statistics.median(times["total"] for times in found)
    for stage in found[0]:
        times = [entry[stage] for entry in found]
        middle = statistics.median(times)
        table.add_row(
            stage, f"{middle:.2f}", f"{np.percentile(times, 95):.2f}", f"{100 * middle / total:.0f} %"
        )
    return table


def bench_solvers(trials: int = 200) -> Table:
    """Robust solvers on synthetic matches, each followed by the same weighted refinement."""
    table = _table(
        "PnP on 40 matches, 40 % outliers, 1 px noise at f = 500",
        *("solver", "p50 ms", "ratio", "median deg", "median % of distance", "failed"),
    )
    baseline = None
    for name in ("poselib", "usac", "opencv"):
        try:
            solve = make_solver(name)
        except RelocError as error:
            table.add_row(name, "-", "-", str(error))
            continue
        times, rotations, positions, failed = [], [], [], 0
        for trial in range(trials):
            matches, truth = synthetic_matches(np.random.default_rng(trial))
            start = time.perf_counter()
            pose = solve(matches, 4 / 500)
            times.append(1e3 * (time.perf_counter() - start))
            inliers = None if pose is None else reprojection_errors(pose, matches) < 4 / 500
            if inliers is None or inliers.sum() < 6:
                failed += 1
                continue
            refined = refine(pose, matches.subset(inliers)).camera_from_map
            rotations.append(rotation_error_deg(refined, truth))
            positions.append(100 * center_error(refined, truth) / 5)
            failed += rotations[-1] > 5
        middle = statistics.median(times)
        baseline = baseline or middle
        errors = f"{statistics.median(rotations):.3f}", f"{statistics.median(positions):.3f}"
        table.add_row(name, f"{middle:.2f}", f"{middle / baseline:.1f}", *errors, str(failed))
    return table


def synthetic_matches(rng: np.random.Generator) -> tuple[Correspondences, SE3]:
    """Forty landmarks in a 4 m cube, 5 m away, sixteen of the keypoints anywhere in the picture."""
    truth = SE3.from_rotation_vector(rng.normal(0, 0.5, 3), (0.0, 0.0, 5.0))
    points = rng.uniform(-2, 2, (40, 3))
    camera = truth.apply(points)
    rays = camera[:, :2] / camera[:, 2:] + rng.normal(0, 1 / 500, (40, 2))
    rays[:16] = rng.uniform(-0.6, 0.6, (16, 2))
    return Correspondences(points, rays, np.full(40, 1 / 500)), truth


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index == 0 else "right")
    return table


if __name__ == "__main__":
    main()
