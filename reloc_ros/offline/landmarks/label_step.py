"""The steps that make labels, by a test or from a file, and draw them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.keypoints_json import Imported, read_keypoints
from reloc_ros.offline.landmarks.label_preview import write_preview
from reloc_ros.offline.landmarks.labels import Labels, Visibility, unlabelled
from reloc_ros.offline.landmarks.visibility import VOXEL_SIZE, label_images
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import map_model, read_map_photo
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.workspace import Workspace, fingerprint


def label_step(
    workspace: Workspace, method: str, progress: Progress = silent, voxel_size: float = VOXEL_SIZE
) -> dict[str, Any]:
    """Label the visibility of each landmark in each map image; returns a summary."""
    how: dict[str, Any] = {"method": method}
    if method == "voxels":
        how["voxel_size"] = voxel_size
    if not workspace.is_current("label", _label_inputs(workspace, how)):
        landmarks = _landmarks_of_this_map(workspace)
        model = map_model(workspace)
        labels = label_images(model, landmarks, method, workspace.images_dir, progress, voxel_size)
        _record_labels(workspace, labels, how)
    return workspace.summary("label")


def import_labels_step(workspace: Workspace, file: Path) -> Imported:
    """Take the labels from a keypoints.json instead, see `read_keypoints`."""
    model, landmarks = map_model(workspace), _landmarks_of_this_map(workspace)
    widths_px = [model.camera(index).width for index in range(len(model.names))]
    left_out = frozenset(workspace.image_names) - set(model.names)
    imported = read_keypoints(file, unlabelled(model, landmarks), widths_px, left_out)
    states = fingerprint({"states": imported.labels.visibility})
    _record_labels(workspace, imported.labels, {"method": "import", "states": states})
    return imported


def _landmarks_of_this_map(workspace: Workspace) -> Landmarks:
    landmarks = Landmarks.load(workspace.landmarks_path)
    if workspace.has_changed("select", "model", workspace.model_path):
        raise RelocError(
            "the map changed after its landmarks were chosen; undo the change, or choose them again with reloc select "
            f"or reloc web -w {workspace.path}"
        )
    return landmarks


def _record_labels(workspace: Workspace, labels: Labels, how: dict[str, Any]) -> None:
    with atomic_path(workspace.labels_path) as temporary:
        labels.save(temporary)
    seen = np.count_nonzero(labels.visibility == Visibility.SEEN, axis=1)
    summary = {
        "method": how["method"],
        "how": how,
        "images": len(labels.names),
        "seen_per_image_median": float(np.median(seen)),
        "seen_per_image_min": int(seen.min()),
        "image_with_fewest": labels.names[int(seen.argmin())],
        "unknown_share": float(np.mean(labels.visibility == Visibility.UNKNOWN)),
    }
    workspace.record("label", _label_inputs(workspace, how), [workspace.labels_path], summary)


def has_labels(workspace: Workspace) -> bool:
    """Whether there are labels, by whatever method or from a file, of the present map and landmarks."""
    labelled = workspace.summary("label")
    if labelled is None:
        return False
    how = labelled.get("how", {"method": labelled["method"]})  # earlier versions knew no other input
    return workspace.is_current("label", _label_inputs(workspace, how))


def preview_step(workspace: Workspace, progress: Progress = silent) -> None:
    """Draw the labels: `label_preview.png` and `label_preview.mp4` in the workspace."""
    sheet, video = workspace.path / "label_preview.png", workspace.path / "label_preview.mp4"
    inputs = {"labels": workspace.labels_path}
    if workspace.is_current("preview", inputs):
        return
    labels, model = Labels.load(workspace.labels_path), SfmModel.load(workspace.model_path)
    rows = [model.names.index(name) for name in labels.names]
    size, _ = Counter(map(tuple, model.image_sizes[rows].tolist())).most_common(1)[0]
    images = (read_map_photo(workspace.images_dir, model, row) for row in rows)
    write_preview(labels, images, size, sheet, video, progress)
    workspace.record("preview", inputs, [sheet, video])


def _label_inputs(workspace: Workspace, how: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": workspace.model_path, "landmarks": workspace.landmarks_path, **how}
