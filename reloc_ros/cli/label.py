"""`reloc label`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reloc_ros.cli.common import WorkspaceOption, bars, open_workspace, phase, tell


def label(
    workspace: WorkspaceOption,
    method: Annotated[
        str | None,
        typer.Option(
            help="appearance (default; depth, then what it looks like), depth (compares with the points around) "
            "or voxels (walks the ray)."
        ),
    ] = None,
    voxel_size: Annotated[
        float | None,
        typer.Option(help="Side of a voxel as a share of the scene's extent, 0.001 to 0.2; 0.01 by default."),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Draw the labels as a sheet (PNG) and a video in the workspace.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write the labels as a keypoints.json, null being unknown.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Export numbers alone: unknown is 0, behind the camera is -1, -1.")
    ] = False,
    import_: Annotated[
        Path | None, typer.Option("--import", help="Take what is visible from a keypoints.json instead.")
    ] = None,
) -> None:
    """Decide which landmark is seen, hidden or unknown in which map image.

    Without --method, imported labels stay as they are, and with --preview or --export any that are there.

    Example: [bold]reloc label -w desk --preview[/bold]
    """
    from reloc_ros.errors import RelocError
    from reloc_ros.offline.landmarks import label_step
    from reloc_ros.offline.landmarks.labels import Labels
    from reloc_ros.offline.landmarks.visibility import VOXEL_SIZE

    if voxel_size is not None and method != "voxels":
        raise RelocError("--voxel-size belongs to --method voxels")
    if import_ is not None and method is not None:
        raise RelocError("--import takes the labels from a file; leave out --method")
    if plain and export is None:
        raise RelocError("--plain belongs to --export FILE")
    opened = open_workspace(workspace)
    keeps = method is None and label_step.has_labels(opened)
    keeps = keeps and (preview or export is not None or opened.summary("label")["method"] == "import")
    with bars() as progress:
        if import_ is not None:
            with phase(progress, "import labels"):
                imported = label_step.import_labels_step(opened, import_)
        elif not keeps:
            size = VOXEL_SIZE if voxel_size is None else voxel_size
            label_step.label_step(opened, method or "appearance", progress, size)
        if preview:
            label_step.preview_step(opened, progress)
    if import_ is not None:
        _tell_imported(import_, imported)
    _tell_labels(opened.summary("label"))
    if preview:
        tell(f"{opened.path / 'label_preview.png'} and .mp4: blue is seen, red hidden, grey unknown")
    if export is not None:
        from reloc_ros.offline.landmarks.keypoints_json import write_keypoints

        write_keypoints(export, Labels.load(opened.labels_path), plain)
        tell(f"labels written to {export}")


def _tell_labels(done: dict[str, Any]) -> None:
    tell(
        f"{done['images']} images see {done['seen_per_image_median']:.0f} landmarks in the median, at least "
        f"{done['seen_per_image_min']} ({done['image_with_fewest']}); {100 * done['unknown_share']:.0f} % unknown"
    )


def _tell_imported(file: Path, imported: Any) -> None:
    if imported.ignored:
        tell(f"{len(imported.ignored)} images of {file} are not in the map and were left out")
    if imported.missing:
        tell(
            f"{len(imported.missing)} map images are not in {file}; what they see is unknown, and they train nothing"
        )
