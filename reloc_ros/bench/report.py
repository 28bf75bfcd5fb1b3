"""Lay results out: as tables for the terminal, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from reloc_ros.bench.methods import (
    FIRST_PIPELINE,
    PROCESSOR,
    REFINED,
    SIFT,
    SIFT_FULL,
    TIMED_WIDTH,
    XFEAT,
    Timing,
)
from reloc_ros.bench.run import Results
from reloc_ros.bundle import TORCH_MODEL
from reloc_ros.offline.measuring.conditions import DESCRIPTIONS
from reloc_ros.offline.measuring.scores import Score

NONE = "-"
STAGES = ("prepare", "network", "detect", "match", "pnp", "refine", "total")


@dataclass(frozen=True)
class Grid:
    """A table, whatever draws it."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def to_rich(self) -> Table:
        table = Table(title=self.title, title_justify="left", caption=self.note, caption_justify="left")
        for index, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if index == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        return table

    def to_markdown(self) -> str:
        rule = _line(["---"] + ["---:"] * (len(self.headings) - 1))
        lines = [f"**{self.title}**", "", _line(self.headings), rule, *map(_line, self.rows)]
        return "\n".join([*lines, *(["", self.note] if self.note else [])]) + "\n"


def grids(results: Results) -> list[Grid]:
    """Every table that the results fill, the one that tells the most first."""
    found = [
        summary_grid(results),
        peers_grid(results),
        stages_grid(results.timings),
        *conditions_grids(results.scores),
        costs_grid(results),
        growth_grid(results),
        workspaces_grid(results),
        solvers_grid(results),
        absent_grid(results),
    ]
    return [grid for grid in found if grid.rows]


def to_markdown(found: Iterable[Grid]) -> str:
    return "\n".join(grid.to_markdown() for grid in found)


def summary_grid(results: Results) -> Grid:
    """One row a method: time, ratios to the baselines, recall and errors."""
    timings = {timing.method: timing for timing in results.timings}
    timed = {score.method: score for score in results.timed_scores if score.condition == "clean"}
    clean = {score.method: score for score in results.scores if score.condition == "clean"}
    names = list(dict.fromkeys([*timings, *clean]))
    rows = []
    for name in names:
        timing = timings.get(name)
        as_taken = SIFT if name == SIFT_FULL else name
        times = _ms(timing, "total", 50), _ms(timing, "total", 95)
        ratios = (_ratio(timings.get(baseline), timing) for baseline in (SIFT, FIRST_PIPELINE))
        recalls = (
            *_accuracy(timed.get(name)),
            *_accuracy(clean.get(as_taken)),
            _worst(results.scores, as_taken),
        )
        rows.append((name, _size(timing), *times, *ratios, *recalls))
    within = _within([*results.scores, *results.timed_scores])
    taken = f"{results.taken[0]}x{results.taken[1]}"
    headings = (
        *("image to pose", "timed on", "ms p50", "p95", "x SIFT", "x first"),
        *(f"recall, {TIMED_WIDTH} wide", "deg", "%"),
        *(f"recall, {taken}", "deg", "%", "lowest recall when degraded"),
    )
    title = f"{results.place}: {results.images} images the map has not seen, {results.landmarks} landmarks"
    note = (
        f"Recall: share {within}; a lost image is a miss. Errors: medians of the localized, the position as a share of "
        f"the distance. Ratios of medians. {SIFT}: OpenCV's, with FLANN and LO-RANSAC. The {FIRST_PIPELINE}: full HD, "
        "ResNet-18 at stride 32, 20 heads, solvePnPRansac; with random weights: its time is known, its accuracy is not."
    )
    return Grid(title, headings, tuple(rows), note)


def peers_grid(results: Results) -> Grid:
    """Ours, refined, beside the baselines: one row for each in each condition."""
    memory = {one.name: one for one in results.memory}
    rows = []
    for score in results.timed_scores:
        engine, _, kind = score.method.partition(", ")
        if score.method not in (SIFT, XFEAT) and kind != REFINED:
            continue
        errors = score.errors("position_percent")
        percentiles = (_number(np.percentile(errors, p), 3) if len(errors) else NONE for p in (50, 99, 100))
        times = [outcome.stage_ms[PROCESSOR] for outcome in score.outcomes if PROCESSOR in outcome.stage_ms]
        took = f"{np.mean(times):.1f}" if times else NONE
        one = memory.get(engine)
        sizes = (NONE, NONE) if one is None else (_mb(one.map_mb), _mb(one.resident_mb))
        recall = f"{100 * score.recall:.0f} %"
        rows.append((score.method, DESCRIPTIONS[score.condition], took, recall, *percentiles, *sizes))
    headings = ("", "images", "processor ms", "recall", "median %", "p99 %", "most %", "map MB", "memory MB")
    note = (
        "Mean time of all threads, lost images too; recall as above; errors of the localized, as a share of the "
        "distance; files and process that localize. Each baseline is matched with the map's own points."
    )
    return Grid(f"ours beside others, {TIMED_WIDTH} wide", headings, tuple(rows), note)


def stages_grid(timings: Sequence[Timing]) -> Grid:
    """Where each method's time goes."""
    stages = [stage for stage in STAGES if any(stage in timing.stages_ms for timing in timings)]
    rows = tuple((timing.method, *(_both(timing, stage) for stage in stages)) for timing in timings)
    return Grid("stages, ms: median / 95th percentile", ("", *stages), rows)


def conditions_grids(scores: Sequence[Score]) -> list[Grid]:
    """Recall, and errors, of each method under each condition."""
    conditions = list(dict.fromkeys(score.condition for score in scores))
    by_both = {(score.method, score.condition): score for score in scores}
    methods = list(dict.fromkeys(score.method for score in scores))
    headings = ("", *(DESCRIPTIONS[condition] for condition in conditions))
    recalls = tuple((m, *(f"{100 * by_both[m, c].recall:.0f} %" for c in conditions)) for m in methods)
    errors = tuple((m, *(_errors(by_both[m, c]) for c in conditions)) for m in methods)
    return [
        Grid(f"share {_within(scores)}; pixels are those of an image 1280 wide", headings, recalls),
        Grid("median errors: degrees, % of the distance", headings, errors),
    ]


def costs_grid(results: Results) -> Grid:
    """Bundle and memory."""
    files = results.files_bytes
    rows = [(f"bundle: {name}", _mb(size / 1e6)) for name, size in files.items()]
    if files:
        everything = sum(files.values())
        rows.append(("bundle: all", _mb(everything / 1e6)))
        if TORCH_MODEL in files:
            rows.append((f"bundle: without {TORCH_MODEL}", _mb((everything - files[TORCH_MODEL]) / 1e6)))
    for memory in results.memory:
        rows.append((f"memory, {memory.name}: at the end", _mb(memory.resident_mb)))
        rows.append((f"memory, {memory.name}: at its peak", _mb(memory.peak_mb)))
    return Grid("what it takes", ("", "MB"), tuple(rows))


def growth_grid(results: Results) -> Grid:
    growth = results.growth
    points = [] if growth is None else list(dict.fromkeys([*growth.by_landmarks, *growth.by_size]))
    rows = tuple(
        (str(p.landmarks), f"{p.width}x{p.height}", f"{p.network_ms:.1f}", f"{p.pnp_ms:.1f}") for p in points
    )
    headings = ("landmarks", "network input", "network ms", "pose ms")
    return Grid("growth, onnx fp32, random weights; medians", headings, rows)


def workspaces_grid(results: Results) -> Grid:
    rows = []
    for one in results.compared:
        clean = next((score for score in one.scores if score.condition == "clean"), None)
        total = f"{one.timing.percentile('total', 50):.1f}"
        rows.append((one.name, str(one.landmarks), total, *_accuracy(clean), _worst(one.scores, one.name)))
    headings = ("workspace", "landmarks", "ms p50", "recall", "deg", "%", "lowest recall when degraded")
    return Grid("workspaces, side by side", headings, tuple(rows))


def solvers_grid(results: Results) -> Grid:
    first = next((solver.median_ms for solver in results.solvers if solver.median_ms), None)
    rows = []
    for solver in results.solvers:
        if solver.median_ms is None:
            rows.append((solver.name, NONE, NONE, NONE, NONE, solver.reason or NONE))
            continue
        errors = (_number(solver.median_deg, 3), _number(solver.median_percent, 3))
        ratio = f"{solver.median_ms / first:.1f}"
        rows.append(
            (solver.name, f"{solver.median_ms:.2f}", ratio, *errors, f"{solver.failed} of {solver.trials}")
        )
    title = "PnP on 40 matches, 40 % outliers, 1 px noise at f = 500"
    headings = ("solver", "p50 ms", "ratio", "median deg", "median % of distance", "failed")
    return Grid(title, headings, tuple(rows))


def absent_grid(results: Results) -> Grid:
    rows = tuple((absent.name, absent.reason) for absent in results.absent)
    return Grid("not run here", ("", "why"), rows)


def _accuracy(score: Score | None) -> tuple[str, str, str]:
    if score is None:
        return NONE, NONE, NONE
    errors = (_number(score.median(field), 3) for field in ("rotation_deg", "position_percent"))
    return (f"{100 * score.recall:.0f} %", *errors)


def _worst(scores: Sequence[Score], method: str) -> str:
    degraded = [score for score in scores if score.method == method and score.condition != "clean"]
    if not degraded:
        return NONE
    worst = min(degraded, key=lambda score: score.recall)
    return f"{100 * worst.recall:.0f} % ({worst.condition})"


def _errors(score: Score) -> str:
    return f"{_number(score.median('rotation_deg'), 2)}, {_number(score.median('position_percent'), 2)}"


def _within(scores: Sequence[Score]) -> str:
    return "within 5 cm and 5 deg" if scores and scores[0].metric else "within 5 % and 5 deg"


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None or value != value else f"{value:.{digits}f}"


def _ms(timing: Timing | None, stage: str, percent: float) -> str:
    return NONE if timing is None else _number(timing.percentile(stage, percent), 1)


def _both(timing: Timing, stage: str) -> str:
    return f"{_ms(timing, stage, 50)} / {_ms(timing, stage, 95)}" if stage in timing.stages_ms else NONE


def _ratio(baseline: Timing | None, timing: Timing | None) -> str:
    """How many times faster than the baseline."""
    if baseline is None or timing is None:
        return NONE
    return f"{baseline.percentile('total', 50) / timing.percentile('total', 50):.1f}"


def _size(timing: Timing | None) -> str:
    return NONE if timing is None else f"{timing.width}x{timing.height}"


def _mb(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
