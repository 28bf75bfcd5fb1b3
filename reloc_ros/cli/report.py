"""`reloc report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, console, open_workspace


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

    opened = open_workspace(workspace)
    with bars() as progress:
        size = write_report(opened, output, progress)
    console.print(f"{output}: {size / 1e6:.1f} MB")
