"""`reloc map`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import RectifiedOption, WorkspaceOption, bars, console, open_workspace, tell
from reloc_ros.errors import RelocError


def map_(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="A folder of photographs, a video or a bag, or several of them that show one place.",
            show_default=False,
        ),
    ],
    workspace: WorkspaceOption,
    model: Annotated[Path | None, typer.Option(help="An existing COLMAP model of these images.")] = None,
    retriangulate: Annotated[
        bool,
        typer.Option(
            "--retriangulate",
            help="Take poses and intrinsics alone of --model and find points for them anew: for models without tracks.",
        ),
    ] = False,
    holdout: Annotated[
        str, typer.Option(help="Images kept out of the map to test it: every:K:R, last:N, list:FILE or none.")
    ] = "every:10:0",
    holdout_strict: Annotated[
        bool,
        typer.Option(
            "--holdout-strict",
            help="Map without the held-out images altogether, and place them in the finished map.",
        ),
    ] = False,
    frames: Annotated[
        int, typer.Option(min=3, help="About how many frames to take from each video or bag.")
    ] = 250,
    topic: Annotated[str | None, typer.Option(help="The image topic of a bag that has several.")] = None,
    camera_model: Annotated[str, typer.Option(help="COLMAP's model of the lens.")] = "OPENCV",
    camera: Annotated[
        Path | None,
        typer.Option(help="Known intrinsics: COLMAP cameras.txt/bin, ROS camera_info or Kalibr yaml."),
    ] = None,
    bag_camera: Annotated[
        bool, typer.Option("--bag-camera", help="Take a bag's camera_info for known intrinsics.")
    ] = False,
    rectified: RectifiedOption = None,
    matching: Annotated[
        str,
        typer.Option(
            help="auto (videos in sequence, few photographs each with each, and what looks alike), exhaustive, "
            "or sequential (photographs as well)."
        ),
    ] = "auto",
    loops: Annotated[
        bool, typer.Option("--loops/--no-loops", help="Look for places that a video comes back to.")
    ] = True,
    features: Annotated[
        str,
        typer.Option(
            help="sift, with xfeat where it leaves images out, or xfeat alone: learned ones, for dark places "
            "(pip install 'reloc_ros\\[xfeat]').",
        ),
    ] = "sift",
    mapper: Annotated[str, typer.Option(help="COLMAP's mapper: incremental or global.")] = "incremental",
    add: Annotated[
        bool,
        typer.Option("--add", help="Place the images in the workspace's finished map, which stays as it is."),
    ] = False,
) -> None:
    """Make a map from photographs, videos or bags by structure from motion.

    Example: [bold]reloc map desk.mp4 evening.mp4 photos -w desk[/bold]
    """
    from reloc_ros.io.camera_files import read_camera_file
    from reloc_ros.offline.extending.extend_map import extend_map
    from reloc_ros.offline.mapping.map_images import map_images
    from reloc_ros.offline.mapping.options import SfmOptions
    from reloc_ros.offline.sources.gather import SourceOptions
    from reloc_ros.offline.workspace_lock import locked_to_be_made

    if rectified is not None and camera is None and not bag_camera:
        raise RelocError("--rectified is about the camera_info of --bag-camera or of --camera; leave it out")
    options = SfmOptions(
        camera_model=camera_model,
        camera=None if camera is None else read_camera_file(camera, rectified=bool(rectified)),
        matching=matching,
        loops=loops,
        mapper=mapper,
        features=features,
    )
    reading = SourceOptions(frames, topic, bag_camera, rectified)
    if add and (model is not None or retriangulate):
        raise RelocError("--add places images in the map of the workspace; leave --model out")
    if add and features != SfmOptions.features:
        raise RelocError("--add looks for the features that the map was made of; leave --features out")
    with locked_to_be_made(workspace), bars() as progress:
        if add:
            opened = open_workspace(workspace, alone=False)
            done = extend_map(sources, opened, holdout, options, reading, progress)
        else:
            opened, done = map_images(
                sources,
                workspace,
                model,
                holdout,
                options,
                reading,
                progress,
                retriangulate=retriangulate,
                holdout_strict=holdout_strict,
            )
    tell(
        f"{opened.path}: {done.registered} of {done.images} images placed, {done.held_out} of them held out; "
        f"{done.points} points, {done.mean_error_px:.2f} px mean error, {done.mean_track_length:.1f} mean track, "
        f"points in {100 * done.coverage:.0f} % of an image's area",
    )
    if done.grade:
        color = {"good": "green", "usable": "yellow"}.get(done.grade, "red")
        console.print(f"verdict: [{color}]{done.grade}[/{color}]")
    for sentence in (*done.remarks, *done.advice):
        tell(f"- {sentence}")
