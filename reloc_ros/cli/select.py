"""`reloc select`."""

from __future__ import annotations

from typing import Annotated

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, console, open_workspace


def select(
    workspace: WorkspaceOption,
    count: Annotated[
        str, typer.Option(help="How many landmarks, or auto: as many as every view needs to see enough.")
    ] = "auto",
    most: Annotated[int, typer.Option("--max", help="With --count auto: never more than this.")] = 500,
) -> None:
    """Choose the landmarks automatically.

    Example: [bold]reloc select -w desk --count 128[/bold]
    """
    from reloc_ros.offline import steps
    from reloc_ros.offline.select import parse_count

    opened, wanted = open_workspace(workspace), parse_count(count)
    with bars() as progress:
        done = steps.select_step(opened, wanted, most, progress)
    console.print(
        f"{done['landmarks']} landmarks of {done['of_points']} points; {done['map_images']} images see "
        f"{done['spread_median']:.0f} well-spread ones in the median, at least {done['spread_min']}"
    )
    if done["poor_images"]:
        console.print(
            f"too few points to see {done['view_needs']}: {', '.join(done['poor_images'])}", soft_wrap=True
        )
