"""`reloc map`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, console


def map_(
    images: Annotated[Path, typer.Argument(help="A folder of photographs, or a video.", show_default=False)],
    workspace: WorkspaceOption,
    model: Annotated[Path | None, typer.Option(help="An existing COLMAP model of these images.")] = None,
    holdout: Annotated[
        str, typer.Option(help="Images kept out of the map to test it: every:K:R, last:N, list:FILE or none.")
    ] = "every:10:0",
    camera_model: Annotated[str, typer.Option(help="COLMAP's model of the lens.")] = "OPENCV",
    camera: Annotated[
        Path | None, typer.Option(help="Known intrinsics: COLMAP cameras.txt/bin or ROS camera_info yaml.")
    ] = None,
    matching: Annotated[
        str | None, typer.Option(help="exhaustive (default for photographs) or sequential (for a video).")
    ] = None,
    frames: Annotated[int, typer.Option(min=3, help="About how many frames to take from a video.")] = 150,
) -> None:
    """Make a map from photographs or a video by structure from motion.

    Example: [bold]reloc map desk.mp4 -w desk[/bold]
    """
    from reloc_ros.camera_files import read_camera_file
    from reloc_ros.offline.mapping import map_images
    from reloc_ros.offline.reconstruct import SfmOptions

    options = SfmOptions(
        camera_model=camera_model,
        camera=None if camera is None else read_camera_file(camera),
        matching=matching or ("sequential" if images.is_file() else "exhaustive"),
    )
    with bars() as progress:
        opened, done = map_images(images, workspace, model, holdout, options, frames, progress)
    console.print(
        f"{opened.path}: {done.registered} of {done.images} images placed, {done.held_out} of them held out; "
        f"{done.points} points, {done.mean_error_px:.2f} px mean error, {done.mean_track_length:.1f} mean track"
    )
    if done.models > 1:
        console.print(f"the images fell into {done.models} separate models; the largest is the map")
