"""`reloc map`: from photographs or a video, or a COLMAP model one has, to a workspace with a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError
from reloc_ros.offline.frames import extract_frames, list_photos, read_photo
from reloc_ros.offline.holdout import parse_holdout
from reloc_ros.offline.map_edits import forget_edits
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.reconstruct import SfmOptions, run_sfm
from reloc_ros.offline.sfm import SfmModel, read_colmap
from reloc_ros.offline.workspace import Workspace

DEFAULT_HOLDOUT = "every:10:0"


@dataclass(frozen=True)
class MapSummary:
    """What `reloc map` has to say."""

    images: int
    registered: int
    held_out: int
    """Registered images that are held out of the map."""
    points: int
    mean_error_px: float
    mean_track_length: float
    models: int
    """How many separate pieces the images fell into; the largest is the map."""
    was_current: bool = False
    """Nothing was done: the workspace already held exactly this map."""


def map_images(
    source: str | Path,
    workspace_path: str | Path,
    model: str | Path | None = None,
    holdout: str = DEFAULT_HOLDOUT,
    options: SfmOptions | None = None,
    frames: int = 150,
    progress: Progress = silent,
) -> tuple[Workspace, MapSummary]:
    """Make a workspace from photographs or a video.

    The model is of all images, held-out ones included: their poses there are what later estimates are
    judged by. Use `SfmModel.without` for the map that may be used. Interrupted, it goes on where it was;
    done, it does nothing.

    Args:
        source: folder of photographs, or a video.
        model: a COLMAP model of those photographs; without it, pycolmap makes one.
        options: how to make one; sequential matching is the default for a video.
        frames: about how many to take from a video.
    """
    source, root = Path(source), Path(workspace_path)
    is_video = source.is_file()
    parse_holdout(holdout)  # a typing mistake should not show after ten minutes of work
    if is_video:
        if model is not None:
            raise RelocError(
                f"a COLMAP model is of images; give its image folder instead of the video '{source}'"
            )
        extract_frames(source, root / "frames", frames, progress)
    images_dir = root / "frames" if is_video else source
    names = list_photos(images_dir)
    parse_holdout(holdout).is_held_out(names)
    options = options or SfmOptions(matching="sequential" if is_video else "exhaustive")
    inputs = _inputs(images_dir, names, model, holdout, options)
    current = _current(root, inputs)
    if current is not None:
        return current
    if model is None:
        made = run_sfm(images_dir, names, root / "sfm", options, progress)
        found, models = made.model, made.models
    else:
        found, models = read_colmap(model), 1
        _check_against_images(found, Path(model), images_dir, names)
    return _write(root, images_dir, names, holdout, inputs, found, models)


def _inputs(
    images_dir: Path, names: Sequence[str], model: str | Path | None, holdout: str, options: SfmOptions
) -> dict[str, Any]:
    stats = [(images_dir / name).stat() for name in names]
    images = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in zip(names, stats, strict=True)]
    made_by = options if model is None else Path(model)
    listed = sorted(parse_holdout(holdout).listed)
    return {"dir": str(images_dir.absolute()), "images": images, "held": [holdout, listed], "by": made_by}


def _current(root: Path, inputs: dict[str, Any]) -> tuple[Workspace, MapSummary] | None:
    if not (root / "workspace.json").exists():
        return None
    workspace = Workspace.open(root)
    if not workspace.is_current("map", inputs):
        return None
    return workspace, replace(MapSummary(**(workspace.summary("map") or {})), was_current=True)


def _write(
    root: Path,
    images_dir: Path,
    names: Sequence[str],
    holdout: str,
    inputs: dict[str, Any],
    model: SfmModel,
    models: int,
) -> tuple[Workspace, MapSummary]:
    workspace = Workspace.create(root, images_dir, names, holdout)
    forget_edits(workspace)
    held_out = workspace.is_held_out(model.names)
    if held_out.all():
        raise RelocError(f"hold-out '{holdout}' holds out every image that could be placed; hold out fewer")
    model.save(workspace.model_path)
    summary = MapSummary(
        images=len(names),
        registered=len(model.names),
        held_out=int(held_out.sum()),
        points=len(model.points_map),
        mean_error_px=round(float(model.errors_px.mean()), 4),
        mean_track_length=round(float(model.track_lengths.mean()), 2),
        models=models,
    )
    workspace.record("map", inputs, [workspace.model_path], asdict(summary))
    return workspace, summary


def _check_against_images(model: SfmModel, path: Path, images_dir: Path, names: Sequence[str]) -> None:
    missing = sorted(set(model.names) - set(names))
    if missing:
        raise RelocError(
            f"COLMAP model '{path}' has {len(missing)} images that '{images_dir}' lacks, the first is '{missing[0]}'"
        )
    for camera_id in set(model.camera_ids.tolist()):
        name = model.names[model.camera_ids.tolist().index(camera_id)]
        camera = model.cameras[camera_id]
        height, width = read_photo(images_dir / name).shape[:2]
        if (width, height) != (camera.width, camera.height):
            raise RelocError(
                f"image '{images_dir / name}' is {width}x{height}, COLMAP model '{path}' was made from "
                f"{camera.width}x{camera.height}; give the images it was made from"
            )
