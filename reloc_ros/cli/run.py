"""`reloc run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reloc_ros.cli.common import BackendOption, PrecisionOption, RefineOption, ThreadsOption, bars, console


def run(
    bundle: Annotated[Path, typer.Argument(help="The bundle folder.", show_default=False)],
    images: Annotated[Path, typer.Argument(help="A folder of images.", show_default=False)],
    poses: Annotated[Path, typer.Option(help="The JSON file to write.")] = Path("poses.json"),
    camera: Annotated[
        Path | None, typer.Option(help="Intrinsics: COLMAP cameras.txt/bin or ROS camera_info yaml.")
    ] = None,
    backend: BackendOption = "auto",
    threads: ThreadsOption = 0,
    precision: PrecisionOption = "auto",
    refine: RefineOption = True,
) -> None:
    """Localize a folder of images and write their poses.

    Example: [bold]reloc run desk.bundle photos --poses poses.json[/bold]
    """
    from reloc_ros.camera_files import read_camera_file
    from reloc_ros.localizer import Localized, Localizer, LocalizerConfig
    from reloc_ros.offline.run import run_folder, write_poses

    intrinsics = None if camera is None else read_camera_file(camera)
    localizer = Localizer.from_bundle(bundle, backend, LocalizerConfig(refine=refine), threads, precision)
    with bars() as progress:
        results = run_folder(localizer, images, intrinsics, progress)
    write_poses(poses, results)
    found = sum(isinstance(result, Localized) for result in results.values())
    console.print(f"{found} of {len(results)} images localized by {localizer.backend.name}; poses in {poses}")
