"""`reloc clean`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, open_workspace, phase, tell
from reloc_ros.errors import RelocError


def clean(
    workspace: WorkspaceOption,
    ply: Annotated[
        Path | None,
        typer.Option(help="Where to write the cloud; cloud.ply of the workspace.", show_default=False),
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", help="This cloud, edited elsewhere: the points it lacks go.")
    ] = None,
    box: Annotated[
        str | None, typer.Option(help="Keep what is within 'xmin ymin zmin xmax ymax zmax'.")
    ] = None,
    sphere: Annotated[str | None, typer.Option(help="Keep what is within 'x y z radius'.")] = None,
    outliers: Annotated[
        bool | None,
        typer.Option(
            "--outliers/--keep-outliers",
            help="Take out points that are far from their neighbours; the default without --import.",
            show_default=False,
        ),
    ] = None,
    neighbours: Annotated[int, typer.Option(help="Of each point, to judge outliers by.")] = 20,
    std_ratio: Annotated[
        float,
        typer.Option(help="Standard deviations above the mean distance at which a point is an outlier."),
    ] = 2.0,
    voxel: Annotated[
        float | None, typer.Option(help="Keep one point, the most often seen, in each cell of this size.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Put all points back.")] = False,
) -> None:
    """Take out of the map what does not belong to it, and write its cloud as PLY.

    Lengths are in the units of the map. It always begins with the map as reconstructed: a second call replaces the
    first.

    Example: [bold]reloc clean -w desk --sphere "0 0 0.5 2"[/bold]
    """
    from reloc_ros.offline.model import clean as cleaning

    opened = open_workspace(workspace)
    target = opened.path / "cloud.ply" if ply is None else ply
    if target.suffix.lower() != ".ply":
        raise RelocError(f"the cloud is written as PLY; name it .ply, not '{target}'")
    options = cleaning.CleanOptions(
        edited=import_,
        box=_numbers("--box", box, 6),
        sphere=_numbers("--sphere", sphere, 4),
        neighbours=neighbours if (import_ is None if outliers is None else outliers) else None,
        std_ratio=std_ratio,
        voxel=voxel,
    )
    if undo:
        if (import_, box, sphere, outliers, voxel) != (None,) * 5:
            raise typer.BadParameter("--undo takes nothing out")
        cleaning.undo_clean(opened)
        tell("all points of the reconstruction are back")
    else:
        with bars() as progress, phase(progress, "clean"):
            done = cleaning.clean(opened, options)
        tell(f"{done.kept} of {done.points} points kept")
        for reason, count in done.removed.items():
            tell(f"{count:8d} removed: {reason}")
        if done.bare_images:
            tell(f"{len(done.bare_images)} images see no point any more, such as {done.bare_images[0]}")
    tell(f"{target}: {cleaning.write_cloud(opened, target)} points")


def _numbers(option: str, text: str | None, count: int) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        numbers = tuple(float(word) for word in text.replace(",", " ").split())
        if len(numbers) == count and all(abs(number) < float("inf") for number in numbers):
            return numbers
    except ValueError:
        pass
    raise RelocError(f"{option} is {count} numbers, not '{text}'")
