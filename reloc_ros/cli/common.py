"""What the verbs share: their common options, the workspace they open, and the bars they draw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True)

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", help="The workspace folder.", show_default=False)
]
BackendOption = Annotated[str, typer.Option(help="auto, onnx, openvino, torch or tensorrt.")]
RefineOption = Annotated[
    bool, typer.Option("--refine/--coarse", help="Sharpen poses against the reference views, or do not.")
]
PrecisionOption = Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or int8.")]
ThreadsOption = Annotated[int, typer.Option(min=0, help="Inference threads; 0 leaves it to the engine.")]


def open_workspace(path: Path) -> Any:
    from reloc_ros.offline.workspace import Workspace

    return Workspace.open(path)


def tell(sentence: str) -> None:
    """Print a sentence as it is, without line breaks of its own."""
    console.print(escape(sentence), soft_wrap=True, highlight=False)


@contextmanager
def bars() -> Iterator[Any]:
    """A progress callback that draws one bar per phase."""
    columns = (
        TextColumn("{task.description:>16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as drawn:
        tasks: dict[str, Any] = {}

        def progress(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = drawn.add_task(phase, total=total)
            drawn.update(tasks[phase], completed=done, total=total)

        yield progress
