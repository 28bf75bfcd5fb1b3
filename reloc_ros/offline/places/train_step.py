"""The step that trains: one network, or one for each place of a map of several."""

from __future__ import annotations

from typing import Any

from reloc_ros.errors import RelocError
from reloc_ros.offline.landmarks.label_step import has_labels
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.places.parts import network_files, parts_of
from reloc_ros.offline.places.train_part import inputs_of, train_part
from reloc_ros.offline.places.train_places import Jobs, train_places
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.workspace import Workspace, fingerprint


def train_step(
    workspace: Workspace,
    config: Any,
    progress: Progress = silent,
    jobs: Jobs | None = None,
    **how: Any,
) -> dict[str, Any] | None:
    """Train what there is to train (`config` is a `train.TrainConfig`); a stopped run with the same inputs goes on.

    In a map of several places each has a network, and those stay whose landmarks and images are as they were.
    `how` are further arguments of `train_network` that do not change what is trained. Of several processes that
    train together, all but the first get None: there is nothing left to do for them.

    Args:
        jobs: where the places are trained; here, one after the other, when not given.
    """
    inputs = inputs_of(workspace.labels_path, config)
    if not workspace.is_current("train", inputs):
        labels = Labels.load(workspace.labels_path)
        parts = parts_of(workspace, labels)
        if len(parts) > 1:
            summary = train_places(workspace, parts, labels, config, progress, jobs or Jobs(), **how)
        else:
            summary = train_part(workspace, parts[0], labels, config, progress, **how)
        if summary is None:
            return None
        summary["labels"] = labels_key(workspace)
        workspace.record("train", inputs, network_files(workspace), summary)
    return workspace.summary("train")


def labels_key(workspace: Workspace) -> str:
    return fingerprint({"labels": workspace.labels_path})


def refuse_stale(workspace: Workspace) -> dict[str, Any]:
    """The summary of a training whose labels, landmarks and model are still those of the workspace."""
    trained = workspace.summary("train")
    again = f"-w {workspace.path}"
    if trained is None or not all(file.is_file() for file in network_files(workspace)):
        raise RelocError(f"workspace {workspace.path} has no trained network; run reloc train {again} first")
    if not has_labels(workspace):
        raise RelocError(
            f"the map or its landmarks changed after reloc label; run reloc label and train {again} again"
        )
    if trained["labels"] != labels_key(workspace):
        raise RelocError(f"the labels changed after reloc train; run reloc train {again} again")
    return trained
