"""Train the network of a map, or of one of its places."""

from __future__ import annotations

import dataclasses
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reloc_ros.bundle import NETWORK, TORCH
from reloc_ros.io.atomic import atomic_path
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import read_map_photo
from reloc_ros.offline.places.parts import Part
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from reloc_ros.offline.training.stored_images import StoredImage
    from reloc_ros.offline.training.validation import Truth


def train_part(
    workspace: Workspace, part: Part, labels: Labels, config: Any, progress: Progress, **how: Any
) -> dict[str, Any] | None:
    # torch takes seconds to import, and only this step needs it
    from reloc_ros.inference.network import save_network
    from reloc_ros.offline.training.fit import is_first_process
    from reloc_ros.offline.training.train import train_network

    folder = workspace.train_dir / ("run" if part.name == NETWORK else part.name)
    if is_first_process():
        make_run_folder(folder, inputs_of(labels, config))
    else:
        progress = silent
    images, truth = labelled_images(workspace, labels, part)
    network, summary = train_network(folder, images, labels, config, progress, truth, **how)
    if not is_first_process():
        return None
    with atomic_path(workspace.train_dir / (part.name + TORCH)) as temporary:
        save_network(network, temporary)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return summary | {"shape": dataclasses.asdict(network.shape)}


def inputs_of(labels: Labels | Path, config: Any) -> dict[str, Any]:
    """What a training depends on; `labels` are given, or the file that they are in."""
    listed = Path(config.validation.removeprefix("list:"))  # no file, and the same nothing, for other rules
    contents = labels if isinstance(labels, Path) else [labels.names, labels.visibility, labels.keypoints_px]
    return {"labels": contents, "config": config, "validation": listed}


def labelled_images(workspace: Workspace, labels: Labels, part: Part) -> tuple[list[StoredImage], Truth]:
    """The images of some labels, of the size they were labelled at, and where they were taken from."""
    from reloc_ros.offline.training.stored_images import StoredImage
    from reloc_ros.offline.training.validation import Truth

    model, images_dir = SfmModel.load(workspace.model_path), workspace.images_dir
    row_of_name = {name: row for row, name in enumerate(model.names)}
    rows = [row_of_name[name] for name in labels.names]
    cameras, poses = [model.camera(row) for row in rows], [model.camera_from_map[row] for row in rows]
    images = [
        StoredImage((camera.height, camera.width, 3), partial(read_map_photo, images_dir, model, row))
        for row, camera in zip(rows, cameras, strict=True)
    ]
    landmarks = Landmarks.load(workspace.landmarks_path).subset(part.landmarks)
    return images, Truth(landmarks, cameras, poses)


def make_run_folder(folder: Path, inputs: dict[str, Any]) -> None:
    """Empty a folder when what is in it was made from other inputs."""
    marker, key = folder / "inputs.txt", fingerprint(inputs)
    if not (marker.is_file() and marker.read_text(encoding="utf-8") == key):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        marker.write_text(key, encoding="utf-8")
