"""Measure what tracking saves on a stream, and whether it drifts, beside every image localized by itself.

    python -m reloc_ros.bench.node.tracking [--bundle BUNDLE] [--seconds 24] [--conditions all] [--json FILE]

The pictures are those of the demo's walk, localized by the core as the node does, one way after the other for each
image. `never confirmed` follows without asking the network again: what drifts does so there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from reloc_ros.bench.run import describe_machine
from reloc_ros.demo.film.rendered_walk import RenderedWalk
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.errors import RelocError
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer
from reloc_ros.offline.measuring.conditions import ALL, CONDITIONS, parse_conditions
from reloc_ros.stream.status import StatusMachine
from reloc_ros.stream.tracker import Tracker, TrackerConfig

RATE_HZ = 30.0
SAME_CAMERA = tuple(name for name in CONDITIONS if name not in ("half", "double"))
CACHE = Path("build/node_load")
"""Of the demo's pictures."""
WAYS = {
    "each by itself": TrackerConfig(tracking="off"),
    "tracking": TrackerConfig(),
    "never confirmed": TrackerConfig(confirm_every=10**9),
}


@dataclass(frozen=True)
class Figures:
    """Of one way through one condition; errors are those of all poses, published or not."""

    way: str
    condition: str
    images: int
    localized: int
    tracked: int
    cpu_ms: float
    """Processor time of an image, mean, over all threads."""
    cpu_ms_in_view: float
    """The same of those images that every way localized."""
    cm_median: float
    cm_p99: float
    cm_max: float
    deg_max: float


class _Stream:
    def __init__(self, way: str, localizer: Localizer) -> None:
        self.way, self._machine = way, StatusMachine()
        self._tracker = Tracker(localizer, WAYS[way])
        self.cpu_s: list[float] = []
        self.results: list[Localized | None] = []

    def see(self, image: np.ndarray, stamp_s: float) -> None:
        start_s = time.process_time()
        result = self._tracker.localize(image, CAMERA, stamp_s, self._machine.last_good)
        self._tracker.confirm()
        self.cpu_s.append(time.process_time() - start_s)
        if isinstance(result, Localized):
            self._machine.localized(result.camera_from_map, stamp_s)
        else:
            self._machine.lost(result.reason.value, result.detail)
        self.results.append(result if isinstance(result, Localized) else None)


def measure(localizer: Localizer, walk: RenderedWalk, conditions: Sequence[str]) -> list[Figures]:
    """Every way through the walk, under each condition."""
    figures = []
    for condition in conditions:
        streams = [_Stream(way, localizer) for way in WAYS]
        for index, stamp_s in enumerate(walk.trajectory.times_s.tolist()):
            image, _ = CONDITIONS[condition](walk.picture(index), CAMERA)
            for stream in streams:
                stream.see(image, stamp_s)
        found = np.array([[result is not None for result in stream.results] for stream in streams])
        figures += [_figures(stream, condition, walk, found.all(axis=0)) for stream in streams]
    return figures


def _figures(stream: _Stream, condition: str, walk: RenderedWalk, by_all: np.ndarray) -> Figures:
    pairs = [
        (r, t) for r, t in zip(stream.results, walk.trajectory.camera_from_map, strict=True) if r is not None
    ]
    cm = np.array([100 * center_error(result.camera_from_map, truth) for result, truth in pairs] or [np.nan])
    deg = [rotation_error_deg(result.camera_from_map, truth) for result, truth in pairs]
    cpu_ms = 1e3 * np.array(stream.cpu_s)
    return Figures(
        stream.way,
        condition,
        len(stream.results),
        len(pairs),
        sum(result.tracked for result, _ in pairs),
        float(cpu_ms.mean()),
        float(cpu_ms[by_all].mean()) if by_all.any() else float("nan"),
        float(np.median(cm)),
        float(np.quantile(cm, 0.99)),
        float(cm.max()),
        max(deg, default=float("nan")),
    )


def _table(figures: Sequence[Figures]) -> Table:
    columns = (
        "condition",
        "way",
        "localized",
        "tracked",
        "cpu ms",
        "in view",
        "ratio",
        "cm p50",
        "p99",
        "max",
        "deg max",
    )
    table = Table(*columns)
    base: dict[str, float] = {}
    for one in figures:
        base.setdefault(one.condition, one.cpu_ms_in_view)
        numbers = (one.cpu_ms, one.cpu_ms_in_view, one.cpu_ms_in_view / base[one.condition])
        errors = (one.cm_median, one.cm_p99, one.cm_max, one.deg_max)
        counts = (f"{one.localized} of {one.images}", str(one.tracked))
        times = (f"{numbers[0]:.1f}", f"{numbers[1]:.1f}", f"{numbers[2]:.2f}")
        table.add_row(one.condition, one.way, *counts, *times, *(f"{error:.2f}" for error in errors))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tracking", description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=EMBEDDED_BUNDLE, help="another one of the demo's room")
    parser.add_argument("--seconds", type=float, default=24.0, help="of the walk")
    parser.add_argument(
        "--conditions", default="clean,dark,noise,motion,covered", help="as of reloc eval, or all"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args(arguments)
    try:
        conditions = SAME_CAMERA if given.conditions == ALL else parse_conditions(given.conditions)
        if unknown := set(conditions).difference(SAME_CAMERA):
            raise RelocError(
                f"unknown condition {min(unknown)!r}; use {ALL} or some of {', '.join(SAME_CAMERA)}"
            )
        localizer = Localizer.from_bundle(given.bundle, "onnx", threads=given.threads)
        walk = RenderedWalk.within(CACHE, RATE_HZ, given.seconds)
        walk.render_missing()
        cv2.setNumThreads(1)
        figures = measure(localizer, walk, conditions)
    except RelocError as error:
        print(f"tracking: {error}", file=sys.stderr)
        return RelocError.EXIT_CODE
    except KeyboardInterrupt:
        return 130
    Console(width=130).print(_table(figures))
    if given.json:
        record = {"machine": describe_machine(), "figures": [asdict(one) for one in figures]}
        given.json.write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
