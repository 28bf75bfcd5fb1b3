"""`reloc map`: from photographs or a video, or a COLMAP model one has, to a workspace with a model."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.mapping.reconstruct import (
    Reconstruction,
    confirm_given,
    names_sizes_times,
    run_sfm,
    triangulate_given,
)
from reloc_ros.offline.mapping.verdict import Verdict, judge_model
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.model.holdout import parse_holdout
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import forget_edits
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.copies import kept_near_copies
from reloc_ros.offline.sources.exif import photo_kind
from reloc_ros.offline.sources.frame import FRAME_NAME
from reloc_ros.offline.sources.frame_extraction import keep_frames
from reloc_ros.offline.sources.gather import Gathered, Group, SourceOptions, gather, open_map_source
from reloc_ros.offline.sources.photographs import PhotoFolder, copy_name, list_photos, read_photo
from reloc_ros.offline.workspace import Workspace

DEFAULT_HOLDOUT = "every:10:0"
_USED = (
    "the held-out images took part in bundle adjustment, so the poses of the others and the intrinsics know a little "
    "of them; --holdout-strict maps without them"
)
_USED_IN_GIVEN = (
    "whatever made the given model may have used the held-out images for its poses and intrinsics"
)


@dataclass(frozen=True, kw_only=True)
class MapSummary(Verdict):
    """What `reloc map` has to say: the verdict on the model, and how large it is."""

    images: int
    registered: int
    held_out: int
    """Registered images that are held out of the map."""
    points: int
    mean_error_px: float
    mean_track_length: float
    models: int
    """How many separate pieces the images fell into; the largest is the map."""
    remarks: tuple[str, ...] = ()
    """What was odd about the sources, in sentences."""
    dropped: tuple[str, ...] = ()
    """Images that were placed where their matches do not agree, and are left out of the map."""
    was_current: bool = False
    """Nothing was done: the workspace already held exactly this map."""


def map_images(
    sources: str | Path | Sequence[str | Path],
    workspace_path: str | Path,
    model: str | Path | None = None,
    holdout: str = DEFAULT_HOLDOUT,
    options: SfmOptions | None = None,
    reading: SourceOptions | None = None,
    progress: Progress = silent,
    *,
    retriangulate: bool = False,
    holdout_strict: bool = False,
) -> tuple[Workspace, MapSummary]:
    """Make a workspace from photographs, videos and bags of one place.

    The model is of all images, held-out ones included: their poses there are what later estimates are
    judged by. Use `SfmModel.without` for the map that may be used: what they saw has no part in its points, and
    with `holdout_strict` none in its poses and intrinsics either. Interrupted, it goes on where it was; done, it
    does nothing.

    Args:
        sources: folder of photographs, video or bag, or several of these.
        model: a COLMAP model of those images; without it, pycolmap makes one.
        options: how to make one.
        reading: how to read the sources.
        retriangulate: of a given model take poses and intrinsics alone, and find points for them in the images.
        holdout_strict: map without the held-out images, and place them in the finished map.
    """
    paths = [Path(sources)] if isinstance(sources, (str, Path)) else [Path(source) for source in sources]
    root, options, reading = Path(workspace_path), options or SfmOptions(), reading or SourceOptions()
    if not paths:
        raise RelocError("give at least one video, bag or folder of photographs")
    parse_holdout(holdout)  # a typing mistake should not show after ten minutes of work
    _refuse_contradictions(model, options, reading, retriangulate, holdout_strict)
    told: list[str] = []
    given = None if model is None else read_colmap(model, told.append, with_points=not retriangulate)
    gathered = _gather(paths, root, given, reading, progress)
    names = np.array(gathered.names)
    chosen = frozenset(names[parse_holdout(holdout).is_held_out(gathered.names)].tolist())
    inputs = _inputs(gathered, model, holdout, options, retriangulate, holdout_strict)
    current = _current(root, inputs)
    if current is not None:
        return current
    if given is not None:
        _check_against_images(given, Path(str(model)), gathered.images_dir, gathered.names)
    groups = kept_near_copies(
        root / "judged" / "copies.json", inputs["images"], gathered.images_dir, progress
    )
    copies = copies_of(chosen, groups, told)
    held_out = chosen | copies
    if given is None:
        kept_apart = held_out if holdout_strict else frozenset()
        made = run_sfm(gathered.images_dir, gathered.groups, root / "sfm", options, progress, kept_apart)
    elif retriangulate:
        _refuse_unread(gathered)
        made = triangulate_given(gathered.images_dir, gathered.groups, root / "sfm", given, options, progress)
    else:
        made = _confirmed(gathered, root, given, progress)
    if held_out.issuperset(made.model.names):
        raise RelocError(f"hold-out '{holdout}' holds out every image that could be placed; hold out fewer")
    if not holdout_strict and not held_out.isdisjoint(made.model.names):
        told.append(_USED_IN_GIVEN if given else _USED)
    return _write(root, gathered, holdout, copies, inputs, replace(made, told=(*told, *made.told)))


def copies_of(chosen: frozenset[str], groups: Sequence[tuple[str, ...]], told: list[str]) -> frozenset[str]:
    """The images that show the very same as one that is held out, and would give it away from within the map."""
    groups = [group for group in groups if not chosen.isdisjoint(group)]
    copies = frozenset(name for group in groups for name in group) - chosen
    if copies:
        of = next(name for group in groups if min(copies) in group for name in group if name in chosen)
        told.append(
            f"{len(copies)} images are copies of held-out ones and held out with them, as '{min(copies)}' is of '{of}'"
        )
    return copies


def _refuse_contradictions(
    model: str | Path | None,
    options: SfmOptions,
    reading: SourceOptions,
    retriangulate: bool,
    holdout_strict: bool,
) -> None:
    if retriangulate and model is None:
        raise RelocError("--retriangulate finds points for the poses of a COLMAP model; name it with --model")
    if holdout_strict and model is not None:
        raise RelocError(
            "--holdout-strict maps without the held-out images, but with --model their poses are given; leave one out"
        )
    if model is not None and (options.camera is not None or reading.bag_camera):
        raise RelocError("a COLMAP model has intrinsics of its own; leave --camera and --bag-camera out")


def _refuse_unread(gathered: Gathered) -> None:
    unread = _first_unread(gathered)
    if unread is not None:
        raise RelocError(
            f"COLMAP does not read '{unread}' ({photo_kind(unread)}) as it is; "
            "make the model from JPEG or PNG images, or leave --retriangulate out"
        )


def _first_unread(gathered: Gathered) -> Path | None:
    """An image that COLMAP cannot read; a given model names its images, so there can be no copies of them for it."""
    folder = gathered.images_dir
    return next((folder / name for name in gathered.names if copy_name(folder, name) is not None), None)


def _confirmed(gathered: Gathered, root: Path, given: SfmModel, progress: Progress) -> Reconstruction:
    """A given model, checked by its images where COLMAP is there and reads them."""
    unread = _first_unread(gathered)
    if unread is None and importlib.util.find_spec("pycolmap") is not None:
        matches = root / "judged" / "matches"
        return confirm_given(gathered.images_dir, gathered.groups, matches, given, progress)
    why = "pycolmap is not installed" if unread is None else f"COLMAP does not read '{unread}'"
    return Reconstruction(
        given, (given.names,), (f"the given model was not checked against its images: {why}",)
    )


def _gather(
    paths: Sequence[Path], root: Path, model: SfmModel | None, reading: SourceOptions, progress: Progress
) -> Gathered:
    """The images; of one video that a model was made of, just the frames that the model names."""
    source = open_map_source(paths[0], reading) if model is not None and len(paths) == 1 else None
    if model is None or source is None or isinstance(source, PhotoFolder):
        return gather(paths, root, reading, progress, for_colmap=model is None)
    folder = root / "frames"
    matches = [FRAME_NAME.fullmatch(name) for name in model.names]
    if not all(matches):
        raise RelocError(
            f"the COLMAP model's images are not named as reloc map names the frames of '{paths[0]}'; give the folder "
            "with the images that it was made from"
        )
    numbers = [int(match[1]) for match in matches if match]
    keep_frames(source, folder, numbers, progress)
    return Gathered(folder, (Group(paths[0].name, list_photos(folder), True),))


def _inputs(
    gathered: Gathered,
    model: str | Path | None,
    holdout: str,
    options: SfmOptions,
    retriangulate: bool,
    holdout_strict: bool,
) -> dict[str, Any]:
    images_dir = gathered.images_dir
    images = names_sizes_times(images_dir, gathered.names)
    made_by = [options.noted(), gathered.groups] if model is None else Path(model)
    if retriangulate or holdout_strict:
        made_by = [made_by, options.noted(), retriangulate, holdout_strict]
    listed = sorted(parse_holdout(holdout).listed)
    return {"dir": str(images_dir.absolute()), "images": images, "held": [holdout, listed], "by": made_by}


def _current(root: Path, inputs: dict[str, Any]) -> tuple[Workspace, MapSummary] | None:
    if not (root / "workspace.json").exists():
        return None
    workspace = Workspace.open(root)
    if not workspace.is_current("map", inputs):
        return None
    return workspace, replace(noted_summary(workspace), was_current=True)


def noted_summary(workspace: Workspace) -> MapSummary:
    """What the last `reloc map` noted in the workspace."""
    summary = dict(workspace.summary("map") or {})
    lists = {key: tuple(summary[key]) for key in ("advice", "remarks", "dropped") if key in summary}
    return MapSummary(**(summary | lists))


def _write(
    root: Path,
    gathered: Gathered,
    holdout: str,
    copies: frozenset[str],
    inputs: dict[str, Any],
    made: Reconstruction,
) -> tuple[Workspace, MapSummary]:
    model = made.model
    workspace = Workspace.create(root, gathered.images_dir, gathered.names, holdout, copies)
    forget_edits(workspace)
    model.save(workspace.model_path)
    verdict = judge_model(made, gathered.groups)
    summary = MapSummary(
        images=len(gathered.names),
        registered=len(model.names),
        held_out=int(workspace.is_held_out(model.names).sum()),
        points=len(model.points_map),
        mean_error_px=round(float(model.errors_px.mean()), 4),
        mean_track_length=round(float(model.track_lengths.mean()), 2),
        models=len(made.parts),
        remarks=(*gathered.remarks, *made.told),
        dropped=made.dropped,
        **asdict(verdict),
    )
    workspace.record("map", inputs, [workspace.model_path], asdict(summary))
    return workspace, summary


def _check_against_images(model: SfmModel, path: Path, images_dir: Path, names: Sequence[str]) -> None:
    missing = sorted(set(model.names) - set(names))
    if missing:
        why = ""
        if any(name.startswith(f"{missing[0]} ") for name in names):
            why = "; its names end at their first space, as COLMAP reads them: rename the images"
        elif PureWindowsPath(missing[0]).name in {PurePath(name).name for name in names}:
            why = (
                "; give the folder that the names in the model begin in, or rewrite them to begin in this one"
            )
        raise RelocError(
            f"COLMAP model '{path}' has {len(missing)} images that '{images_dir}' lacks, the first is "
            f"'{missing[0]}'{why}"
        )
    for image in np.unique(model.camera_ids, return_index=True)[1].tolist():
        name, camera = model.names[image], model.camera(image)
        height, width = read_photo(images_dir / name).shape[:2]
        if (width, height) != (camera.width, camera.height):
            raise RelocError(
                f"image '{images_dir / name}' is {width}x{height}, COLMAP model '{path}' was made from "
                f"{camera.width}x{camera.height}; give the images it was made from"
            )
