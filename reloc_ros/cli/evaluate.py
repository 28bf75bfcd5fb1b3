"""`reloc eval`."""

from __future__ import annotations

import sys
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
    from reloc_ros.offline import steps
    from reloc_ros.offline.measuring.conditions import parse_conditions
    from reloc_ros.offline.measuring.scores import write_scores

    opened = open_workspace(workspace)
    wanted = parse_conditions(conditions)
    with bars() as progress:
        scores = steps.evaluate_step(opened, wanted, backend, sift, threads, precision, progress, refine)
    if json is not None:
        write_scores(json, scores)
    _print_scores(scores)


def _print_scores(scores: list[Any]) -> None:
    metric = scores[0].metric
    table = Table(
        title=f"{len(scores[0].outcomes)} held-out images; errors are medians", title_justify="left"
    )
    table.add_column("method")
    table.add_column("condition")
    within = "5 cm" if metric else "5 %"
    for heading in (
        f"within {within}, 5 deg",
        "deg",
        *(["cm"] if metric else []),
        "%",
        "lost",
        "NEES mean",
        "median",
        "in 95 %",
        "ms p50",
        "ms p95",
    ):
        table.add_column(heading, justify="right")
    for score in scores:
        table.add_row(
            score.method,
            score.condition,
            f"{100 * score.recall:.0f} %",
            f"{score.median('rotation_deg'):.3f}",
            *([f"{100 * score.median('position'):.1f}"] if metric else []),
            f"{score.median('position_percent'):.3f}",
            str(score.lost),
            f"{score.nees_mean:.1f}",
            f"{score.median('nees'):.1f}",
            f"{100 * score.nees_within_95:.0f} %",
            f"{score.stage_ms(50)['total']:.1f}",
            f"{score.stage_ms(95)['total']:.1f}",
        )
    output = Console(width=None if sys.stdout.isatty() else 120)
    output.print(table)
    for score in scores:
        if score.condition == scores[0].condition:
            stages = ", ".join(f"{stage} {time_ms:.1f}" for stage, time_ms in score.stage_ms(50).items())
            output.print(f"{score.method}, median ms: {stages}")
