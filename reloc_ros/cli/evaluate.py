"""`reloc eval` and `reloc report`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from reloc_ros.cli.common import (
    BackendOption,
    PrecisionOption,
    RefineOption,
    ThreadsOption,
    WorkspaceOption,
    bars,
    open_workspace,
    phase,
    tell,
)


def evaluate(
    workspace: WorkspaceOption,
    json: Annotated[Path | None, typer.Option(help="Write every figure to this file.")] = None,
    conditions: Annotated[
        str,
        typer.Option(
            help="all, or some of clean,dark,darker,gamma,blur,motion,noise,jpeg,covered,half,double."
        ),
    ] = "clean,dark,gamma",
    sift: Annotated[
        bool, typer.Option("--sift", help="Measure SIFT + LO-RANSAC on the same images.")
    ] = False,
    backend: BackendOption = "auto",
    threads: ThreadsOption = 0,
    precision: PrecisionOption = "auto",
    refine: RefineOption = True,
) -> None:
    """Measure recall, errors and times on the held-out images.

    Example: [bold]reloc eval -w desk --sift --json desk.json[/bold]
    """
    from reloc_ros.bundle import Bundle
    from reloc_ros.offline import steps
    from reloc_ros.offline.bundling.trial_poses import problems_of
    from reloc_ros.offline.measuring.conditions import parse_conditions
    from reloc_ros.offline.measuring.scores import write_scores

    opened = open_workspace(workspace)
    wanted = parse_conditions(conditions)
    with bars() as progress:
        scores = steps.evaluate_step(opened, wanted, backend, sift, threads, precision, progress, refine)
    if json is not None:
        write_scores(json, scores)
    _print_scores(scores)
    for problem in problems_of(Bundle.load(steps.own_bundle(opened)).calibration):
        tell(f"- {problem}")


def _print_scores(scores: list[Any]) -> None:
    metric = scores[0].metric
    columns: dict[str, Callable[[Any], str]] = {
        f"within {'5 cm' if metric else '5 %'}, 5 deg": lambda score: f"{100 * score.recall:.0f} %",
        "deg": lambda score: f"{score.median('rotation_deg'):.3f}",
        "cm": lambda score: f"{100 * score.median('position'):.1f}",
        "%": lambda score: f"{score.median('position_percent'):.3f}",
        "lost": lambda score: str(score.lost),
        "NEES mean": lambda score: f"{score.nees_mean:.1f}",
        "median": lambda score: f"{score.median('nees'):.1f}",
        "in 95 %": lambda score: f"{100 * score.nees_within_95:.0f} %",
        "ms p50": lambda score: f"{score.stage_ms(50)['total']:.1f}",
        "ms p95": lambda score: f"{score.stage_ms(95)['total']:.1f}",
    }
    if not metric:
        del columns["cm"]
    title = f"{len(scores[0].outcomes)} held-out images; errors are medians"
    table = Table("method", "condition", title=title, title_justify="left")
    for heading in columns:
        table.add_column(heading, justify="right")
    for score in scores:
        table.add_row(score.method, score.condition, *(cell(score) for cell in columns.values()))
    output = Console(width=None if sys.stdout.isatty() else 120)
    output.print(table)
    ours = [score for score in scores if score.method == scores[0].method]
    if any(score.by_features for score in ours):
        counts = ", ".join(f"{score.condition} {score.by_features}" for score in ours)
        output.print(f"{ours[0].method}, images found by local features: {counts}")
    for score in scores:
        if score.condition == scores[0].condition:
            stages = ", ".join(f"{stage} {time_ms:.1f}" for stage, time_ms in score.stage_ms(50).items())
            output.print(f"{score.method}, median ms: {stages}")


def report(
    workspace: WorkspaceOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path(
        "report.html"
    ),
) -> None:
    """Write one page about the map, how well it works, and where it will be lost.

    It can be made after any step, and tells which are still to do. The page holds all its pictures; it can be sent.

    Example: [bold]reloc report -w desk -o desk.html[/bold]
    """
    from reloc_ros.offline.report.page import write_report

    opened = open_workspace(workspace, alone=False)
    with bars() as progress, phase(progress, "report"):
        size = write_report(opened, output, progress)
    tell(f"{output}: {size / 1e6:.1f} MB")
