"""The step that chooses landmarks; and, whoever chose them, how the workspace keeps them so that later steps notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.landmarks.points_file import landmarks_at, read_points
from reloc_ros.offline.landmarks.select_landmarks import LEAST, MOST, attainable_spread, select_landmarks
from reloc_ros.offline.landmarks.spread import VIEW_NEEDS, Selection, cells_labelled
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.places.partition import ONE_PLACE, add_to_places, part_landmarks, seen_table
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.pruning.pruned import lasting_model, pruned_inputs, read_pruned
from reloc_ros.offline.workspace import Workspace

BY_HAND = "by hand"
"""What the summary of the step says under `chosen` of landmarks from the browser."""


def select_step(
    workspace: Workspace,
    count: int | None,
    most: int = MOST,
    progress: Progress = silent,
    points: Path | None = None,
    replace: bool = False,
    add: bool = False,
) -> dict[str, Any]:
    """Choose the landmarks, see `select_landmarks` and `select_points`; returns a summary.

    Landmarks chosen by hand are replaced only where `replace` says so. With `add` those that there are stay, with
    their places, whoever chose them, and others are added where views of the map that came later need them.
    """
    inputs = selection_inputs(workspace)
    if add:
        return _add_landmarks(workspace, most, inputs, progress)
    if points is not None:
        inputs |= {"points": points, "most": most}
    else:
        inputs |= {"count": "auto", "most": most} if count is None else {"count": count}
    if not workspace.is_current("select", inputs):
        if not replace:
            _refuse_to_replace_hand_work(workspace)
        model = lasting_model(workspace, read_pruned(workspace))
        if points is not None:
            chosen, how = select_points(model, points, most), "points"
        else:
            chosen, how = select_landmarks(model, count, most, progress), "automatically"
        keep_selection(workspace, model, chosen, inputs, how)
    return workspace.summary("select")


def _add_landmarks(
    workspace: Workspace, most: int, inputs: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    before = workspace.summary("select")
    if before is None or not workspace.landmarks_path.exists():
        raise RelocError(
            f"there are no landmarks to add to; run reloc select -w {workspace.path} without --add first"
        )
    inputs |= {"most": most, "added": True}
    if not workspace.is_current("select", inputs):
        pruned, had = read_pruned(workspace), Landmarks.load(workspace.landmarks_path)
        model = lasting_model(workspace, pruned)
        lasting = np.delete(np.arange(len(had)), pruned.rows_of(had))
        kept = had.subset(lasting)
        ends = np.searchsorted(lasting, np.cumsum(before.get("places") or [len(had)]))
        places = [size for size in np.diff(ends, prepend=0).tolist() if size]
        chosen = select_landmarks(model, None, max(most, len(kept)), progress, kept)
        keep_selection(workspace, model, chosen, inputs, before["chosen"], places)
    return workspace.summary("select")


def select_points(model: SfmModel, file: Path, most: int = MOST) -> Selection:
    """The landmarks that a text file lists, see `read_points` and `landmarks_at`."""
    points, places = read_points(file)
    if len(points) < LEAST:
        raise RelocError(f"'{file}' lists {len(points)} points; at least {LEAST} are needed to localize from")
    if len(points) > most:
        raise RelocError(
            f"'{file}' lists {len(points)} points, more than --max {most}; raise it or list fewer"
        )
    landmarks = landmarks_at(model, points, places)
    labels = label_images(model, landmarks)
    unseen = np.flatnonzero((labels.visibility != Visibility.SEEN).all(axis=0))
    if len(unseen):
        more = f" (and {len(unseen) - 1} points more)" if len(unseen) > 1 else ""
        raise RelocError(
            f"{places[unseen[0]]}{more}: no map image surely shows this point; move it onto a surface that the "
            "images show, or leave it out"
        )
    return Selection(landmarks, cells_labelled(labels, model.image_sizes), attainable_spread(model))


def keep_selection(
    workspace: Workspace,
    model: SfmModel,
    chosen: Selection,
    inputs: Mapping[str, Any],
    how: str,
    places_before: Sequence[int] = (),
) -> None:
    """Make these the landmarks of the workspace: the file at once, and the record of the step after it.

    More than one network learns well are put in the order of the places that they are parted into.

    Args:
        places_before: how many of the first landmarks are of each place that there is already.
    """
    landmarks, places = chosen.landmarks, [len(chosen.landmarks)]
    if len(landmarks) > ONE_PLACE:
        table = seen_table(*chosen.pairs, (len(landmarks), len(model.names)))
        parts = add_to_places(table, places_before) if places_before else part_landmarks(table)
        landmarks, places = landmarks.subset(np.concatenate(parts)), [len(part) for part in parts]
    with atomic_path(workspace.landmarks_path) as temporary:
        landmarks.save(temporary)
    summary = {
        "chosen": how,
        "landmarks": len(landmarks),
        "places": places if len(places) > 1 else [],
        "of_points": len(model.points_map),
        "map_images": len(model.names),
        "view_needs": VIEW_NEEDS,
        "spread_median": float(np.median(chosen.spread)),
        "spread_min": int(chosen.spread.min()),
        "poor_images": [model.names[image] for image in np.flatnonzero(chosen.poor)],
        "unmet_images": [model.names[image] for image in np.flatnonzero(chosen.unmet & ~chosen.poor)],
    }
    workspace.record("select", inputs, [workspace.landmarks_path], summary)


def selection_inputs(workspace: Workspace) -> dict[str, Any]:
    """What every choice depends on."""
    inputs = {"model": workspace.model_path, "held_out": workspace.holdout, "view_needs": VIEW_NEEDS}
    return inputs | pruned_inputs(workspace)


def _refuse_to_replace_hand_work(workspace: Workspace) -> None:
    """Nobody can choose by hand in seconds again what a step would overwrite."""
    if (workspace.summary("select") or {}).get("chosen") == BY_HAND and workspace.landmarks_path.exists():
        raise RelocError(
            f"the landmarks of {workspace.path} were chosen by hand, in reloc web; "
            "with --replace they are chosen anew, or move its landmarks.npz away"
        )
