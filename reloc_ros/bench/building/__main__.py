"""Make a rendered building to measure on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.bench.building.make import make
from reloc_ros.bench.building.rooms import LIGHTS, Building
from reloc_ros.cli.common import bars
from reloc_ros.errors import RelocError


def main(
    folder: Annotated[Path, typer.Argument(help="A new folder.", show_default=False)],
    images: Annotated[int, typer.Option(min=80, help="Photographs to map, of 640x480 pixels.")] = 1600,
    sessions: Annotated[
        int, typer.Option(min=1, max=len(LIGHTS), help="Of other light, and some furniture moved.")
    ] = 4,
    columns: Annotated[int, typer.Option(min=2, help="Rooms on each side of the corridor.")] = 6,
    asked: Annotated[int, typer.Option("--queries", min=0, help="Pictures to ask about, a place.")] = 12,
    asked_twin: Annotated[
        int,
        typer.Option("--twin-queries", min=0, help="The same for either of the two rooms that are alike."),
    ] = 40,
    seed: Annotated[int, typer.Option(help="Of where the pictures are taken.")] = 0,
) -> None:
    """Render a building, two of whose rooms are alike, and map it at the poses that are true.

    Leaves images/, their COLMAP model in model/sparse/, a workspace in metres in ws/ (every tenth image held out),
    queries/ taken off the walks that were mapped, and truth.json: place, session and pose of each picture.
    """
    started = time.perf_counter()
    try:
        if folder.exists() and any(folder.iterdir()):
            raise RelocError(f"'{folder}' is not empty; name a new folder")
        with bars() as progress:
            workspace = make(folder, Building(columns), images, sessions, asked, asked_twin, seed, progress)
    except RelocError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    s = time.perf_counter() - started
    typer.echo(
        f"'{workspace.path}' is mapped and in metres, made in {s:.0f} s; next: reloc select -w {workspace.path}"
    )


if __name__ == "__main__":
    typer.run(main)
