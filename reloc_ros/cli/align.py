"""`reloc align`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import WorkspaceOption, console, open_workspace


def align(
    workspace: WorkspaceOption,
    trajectory: Annotated[
        Path,
        typer.Option(help="TUM file: image tx ty tz qx qy qz qw of map_from_camera.", show_default=False),
    ],
) -> None:
    """Bring the map to metres and gravity from where some of its images truly were.

    Example: [bold]reloc align -w desk --trajectory truth.tum[/bold]
    """
    from reloc_ros.offline import align as alignment

    done = alignment.align(open_workspace(workspace), trajectory)
    console.print(
        f"scale {done.scale:.5g} +- {done.scale_error:.2g} m per unit from {done.inliers} of {done.poses} poses; "
        f"they fit within {100 * done.rms_m:.2g} cm rms"
    )
