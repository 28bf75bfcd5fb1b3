"""`reloc label`."""

from __future__ import annotations

from typing import Annotated

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, console, open_workspace


def label(
    workspace: WorkspaceOption,
    method: Annotated[
        str,
        typer.Option(
            help="appearance (depth, then what it looks like), depth (compares with the points around) "
            "or voxels (walks the ray)."
        ),
    ] = "appearance",
) -> None:
    """Decide which landmark is seen, hidden or unknown in which map image.

    Example: [bold]reloc label -w desk[/bold]
    """
    from reloc_ros.offline import steps

    opened = open_workspace(workspace)
    with bars() as progress:
        done = steps.label_step(opened, method, progress)
    console.print(
        f"{done['images']} images see {done['seen_per_image_median']:.0f} landmarks in the median, at least "
        f"{done['seen_per_image_min']} ({done['image_with_fewest']}); {100 * done['unknown_share']:.0f} % unknown"
    )
