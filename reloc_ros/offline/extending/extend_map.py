"""`reloc map --add`: further images for a finished map, whose ids, poses, points, frame and metres stay."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.offline.extending.extended_model import extended_model
from reloc_ros.offline.extending.matches import match_with_map
from reloc_ros.offline.extending.new_images import NewImages, find_new_images, link_all
from reloc_ros.offline.extending.placing import Placing
from reloc_ros.offline.mapping.attempts import read_features
from reloc_ros.offline.mapping.consistency import AGREES, DISAGREES, consistent_parts, measure_agreement
from reloc_ros.offline.mapping.map_images import MapSummary, copies_of, noted_summary
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.mapping.reconstruct import Reconstruction, as_asked, names_sizes_times
from reloc_ros.offline.mapping.verdict import judge_model
from reloc_ros.offline.matching.features import verified_pairs
from reloc_ros.offline.matching.learned import FEATURES
from reloc_ros.offline.model.holdout import parse_holdout
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import original_model, write_extended_map
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.copies import near_copies
from reloc_ros.offline.sources.gather import Group, SourceOptions
from reloc_ros.offline.workspace import Workspace, fingerprint

_MOST_NAMED = 5
_OWN_FOLDER = re.compile("(images|matches)-[0-9a-f]{12}")
"""People's photographs may lie in the workspace, too."""
_DOWNSTREAM = {
    "select": "select --add",
    "label": "label",
    "train": "train",
    "export": "export",
    "evaluate": "eval",
}
"""Steps that were made without the new images, and their verbs."""


def extend_map(
    sources: Sequence[Path],
    workspace: Workspace,
    holdout: str,
    options: SfmOptions | None = None,
    reading: SourceOptions | None = None,
    progress: Progress = silent,
) -> MapSummary:
    """Place the images of further sources in the map of a workspace.

    Nothing is written to the map before all is done; interrupted, the next call goes on with the features and matches
    that were found.

    Args:
        holdout: which of the new images are to be held out, by the rules of `reloc map`; those that are stay so.
    """
    original, root = original_model(workspace), workspace.path
    features = read_features(root / "sfm" / "sparse")
    options, reading = replace(options or SfmOptions(), features=features), reading or SourceOptions()
    images_dir, known = workspace.images_dir, workspace.image_names
    new = find_new_images(sources, root / "more", images_dir, known, reading, progress)
    told = [*new.remarks, *_told_present(new)]
    if not new.files:
        return replace(noted_summary(workspace), remarks=tuple(told), was_current=True)
    key = fingerprint({"known": known, "new": new.names, "files": _stats(new)})[:12]
    target, folder = root / f"images-{key}", root / "more" / f"matches-{key}"
    if target != images_dir and not target.is_dir():
        link_all(images_dir, known, new, target)
    groups = as_asked(new.groups, options)
    held_out = _held_out(workspace, new, holdout, target, told, progress)
    mapped = original.keep_images(~(workspace.is_held_out(original.names)))
    mapped = mapped.keep_points(mapped.track_lengths >= 2)
    kept_in = FEATURES[features]
    earlier = [file for file in sorted(root.glob(f"more/matches-*/{kept_in}")) if file.parent != folder]
    databases = [*earlier, root / "sfm" / kept_in]
    database = match_with_map(target, mapped, groups, databases, folder, options, progress)
    unknown = [name for group in groups if group.camera is None for name in group.names]
    placing = Placing(mapped, database, unknown)
    placed = placing.extend([name for name in new.names if name not in held_out], progress)
    aside, _ = placing.add_aside([name for name in new.names if name in held_out])
    if not placed and not aside:
        raise RelocError(
            f"none of the {len(new.files)} new images found a place in the map of '{root}', which stays as it is; take "
            "some that show more of what the map's images show, from near where they were taken"
        )
    model = extended_model(original, placing.made, [*placed, *aside], target)
    model, dropped = _agreeing(model, original, groups, database)
    made = Reconstruction(model, (model.names,), dropped=dropped, features=features)
    told += _told(workspace, new, model, dropped)
    summary = _judged(workspace, made, groups, held_out, tuple(told))
    write_extended_map(workspace, model, target, (*known, *new.names), held_out, asdict(summary))
    _tidy(root, target, folder)
    return summary


def _stats(new: NewImages) -> list:
    return [names_sizes_times(file.parent, [file.name]) for _, file in sorted(new.files.items())]


def _held_out(
    workspace: Workspace, new: NewImages, holdout: str, images_dir: Path, told: list[str], progress: Progress
) -> frozenset[str]:
    """Those of the new images that are held out, copies of images held out already among them."""
    rule = parse_holdout(holdout)
    chosen = (
        frozenset(np.array(new.names)[rule.is_held_out(new.names)].tolist())
        if len(new.names) > 1
        else frozenset()
    )
    known = workspace.image_names
    before = frozenset(np.array(known)[workspace.is_held_out(known)].tolist())
    alike = near_copies(images_dir, (*known, *new.names), progress)
    copies = copies_of(
        chosen | before, [group for group in alike if not new.files.keys().isdisjoint(group)], []
    )
    copies &= new.files.keys()
    if copies:
        told.append(
            f"{len(copies)} new images are copies of held-out ones and held out with them, as '{min(copies)}'"
        )
    return chosen | copies


def _agreeing(
    model: SfmModel, original: SfmModel, groups: Sequence[Group], database: Path
) -> tuple[SfmModel, tuple[str, ...]]:
    """The model without new images whose matches contradict it, and their names."""
    agreement = measure_agreement(model, verified_pairs(database), [group.names for group in groups])
    old = set(original.names)
    number = np.array([0 if name in old else 1 + row for row, name in enumerate(model.names)])
    pairs = number[agreement.pairs]
    shares, matches = agreement.shares, agreement.matches
    weights = np.where(shares >= AGREES, matches, np.where(shares < DISAGREES, -matches, 0))
    between = pairs[:, 0] != pairs[:, 1]
    parts = consistent_parts(1 + len(model.names), pairs[between], weights[between])
    against = set(pairs[between & (weights < 0)].ravel().tolist())
    with_map = next(set(part.tolist()) for part in parts if 0 in part)
    drop = np.array([n not in with_map and n in against for n in number.tolist()])
    if not drop.any():
        return model, ()
    names = tuple(np.array(model.names)[drop].tolist())
    kept = model.keep_images(~drop)
    return kept.keep_points(np.isin(kept.point_ids, original.point_ids) | (kept.track_lengths >= 2)), names


def _judged(
    workspace: Workspace,
    made: Reconstruction,
    groups: Sequence[Group],
    held_out: frozenset[str],
    told: tuple[str, ...],
) -> MapSummary:
    every, model = [Group("the map", workspace.image_names, False), *groups], made.model
    held = workspace.is_held_out(model.names) | np.isin(model.names, sorted(held_out))
    return MapSummary(
        images=sum(len(group.names) for group in every),
        registered=len(model.names),
        held_out=int(held.sum()),
        points=len(model.points_map),
        mean_error_px=round(float(model.errors_px.mean()), 4),
        mean_track_length=round(float(model.track_lengths.mean()), 2),
        models=1,
        remarks=told,
        dropped=tuple(sorted({*noted_summary(workspace).dropped, *made.dropped} - set(model.names))),
        **asdict(judge_model(made, every)),
    )


def _told_present(new: NewImages) -> list[str]:
    if not new.present:
        return []
    name, same = next(iter(new.present.items()))
    return [f"{len(new.present)} images are in the map already and were skipped: '{name}' is its '{same}'"]


def _told(workspace: Workspace, new: NewImages, model: SfmModel, dropped: Sequence[str]) -> list[str]:
    lost = sorted(new.files.keys() - set(model.names) - set(dropped))
    found = len(new.files) - len(lost) - len(dropped)
    told = [f"{found} of {len(new.files)} new images were added; all that the map held stays as it was"]
    if lost:
        named = ", ".join(f"'{name}'" for name in lost[:_MOST_NAMED])
        told.append(
            f"{len(lost)} new images found no place: {named}{' and more' if len(lost) > _MOST_NAMED else ''}"
        )
    verbs = [verb for step, verb in _DOWNSTREAM.items() if workspace.summary(step) is not None]
    if verbs:
        told.append(
            f"what was made of the map is without the new images and stays valid in its frame; to use them, run again: "
            f"{', '.join(f'reloc {verb}' for verb in verbs)}"
        )
    return told


def _tidy(root: Path, images_dir: Path, matches: Path) -> None:
    """Remove what earlier and interrupted calls left."""
    for folder in [*root.glob("images-*"), *root.glob("more/matches-*")]:
        if _OWN_FOLDER.fullmatch(folder.name) and folder not in (images_dir, matches):
            shutil.rmtree(folder)
