"""`reloc prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reloc_ros.cli.common import (
    BackendOption,
    ThreadsOption,
    WorkspaceOption,
    bars,
    open_workspace,
    phase,
    tell,
)
from reloc_ros.errors import RelocError


def prune(
    workspace: WorkspaceOption,
    walks: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Videos, bags or folders of images of another day; each as reloc run takes it.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        Path | None, typer.Option(help="Intrinsics: COLMAP cameras.txt/bin, ROS camera_info or Kalibr yaml.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="The bags' image topic, if they have several.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Use all landmarks again.")] = False,
    backend: BackendOption = "auto",
    threads: ThreadsOption = 0,
) -> None:
    """Leave out the landmarks on what has moved or gone, as walks of another day show.

    Each landmark is looked for where the walk's own poses say that it should be seen. No training is needed
    afterwards: the next export ignores what the network finds of them. What an earlier call left out stays out.

    Example: [bold]reloc prune -w desk tuesday.mp4[/bold]
    """
    from reloc_ros.io.camera_files import read_camera_file
    from reloc_ros.localizer import Localizer
    from reloc_ros.offline import steps
    from reloc_ros.offline.pruning.prune_step import prune_step
    from reloc_ros.offline.pruning.pruned import undo_prune
    from reloc_ros.offline.sources.open_source import open_source

    if undo == bool(walks):
        raise RelocError("reloc prune takes walks, videos, bags or folders of images, or --undo")
    opened = open_workspace(workspace)
    if undo:
        undo_prune(opened)
        tell(f"all landmarks are used again; next: reloc export -w {workspace}")
        return
    intrinsics = None if camera is None else read_camera_file(camera)
    sources = [open_source(walk, topic, needs_camera=camera is None) for walk in walks or ()]
    with bars() as progress:
        with phase(progress, "load the bundle"):
            localizer = Localizer.from_bundle(steps.own_bundle(opened, progress), backend, threads=threads)
        done = prune_step(opened, localizer, sources, intrinsics, progress)
    for notice in done.notices:
        tell(notice)
    _tell(workspace, done)


def _tell(workspace: Path, done: Any) -> None:
    judged = done.judged
    rows = judged.gone.nonzero()[0]
    told = (
        f"{judged.telling.sum()} of {len(judged.gone)} landmarks were looked for often enough in {done.views} "
        "different views"
    )
    if not len(rows):
        tell(f"{told}, and none of them has moved or gone; nothing is left out")
        return
    tell(f"{told}; {len(rows)} have moved or gone and are left out, with {done.points} points around them:")
    for row in rows[done.landmarks.ids[rows].argsort()]:
        x, y, z = done.landmarks.positions_map[row]
        tell(
            f"  landmark {done.landmarks.ids[row]} at ({x:.2f}, {y:.2f}, {z:.2f}): found in {judged.found[row]} of "
            f"{judged.looked[row]} images, {judged.expected[row]:.0f} would be usual"
        )
    tell(f"next: reloc export -w {workspace}; --undo takes it back")
