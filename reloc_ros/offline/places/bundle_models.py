"""The models of a bundle: one network, or an encoder, a head for each place, and what tells places apart."""

# needs torch and onnx
from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import (
    ENCODER,
    ONNX,
    ONNX_MODEL,
    PLACES,
    TORCH_MODEL,
    NetworkShape,
    place_model,
)
from reloc_ros.errors import RelocError
from reloc_ros.inference.network import load_network
from reloc_ros.offline.bundling.export import FEATURES, export_encoder, export_head, export_onnx
from reloc_ros.offline.bundling.quantize import add_int8, cpu_session
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.places.parts import network_files
from reloc_ros.offline.places.tell_apart import fit_classifier
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.workspace import Workspace


def write_models(
    folder: Path,
    workspace: Workspace,
    model: SfmModel,
    shape: NetworkShape,
    unseen: Sequence[str],
    with_torch: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Write the trained network of a workspace to the folder of a bundle; tells what is worth telling.

    Args:
        unseen: names of the images that training did not see.
    """
    files = network_files(workspace)
    if not shape.places:
        export_onnx(load_network(files[0], shape), folder / ONNX_MODEL)
        if with_torch:
            shutil.copyfile(files[0], folder / TORCH_MODEL)
        return {"int8": add_int8(folder / ONNX_MODEL, workspace.images_dir, model, shape)}
    if with_torch:
        raise RelocError("a map of several places has no weights for the torch backend; leave out --torch")
    encoder = folder / (ENCODER + ONNX)
    heads = [folder / (place_model(place) + ONNX) for place in range(len(files))]
    for place, (file, head) in enumerate(zip(files, heads, strict=True)):
        network = load_network(file, shape.of_place(place))
        if place == 0:
            export_encoder(network, encoder)
        export_head(network, head)
        progress("export places", place + 1, len(files))
    labels = Labels.load(workspace.labels_path)
    classifier, told = fit_classifier(encoder, workspace.images_dir, model, labels, shape, unseen, progress)
    classifier.save(folder / PLACES)
    find = _KeypointsOfAll(heads)
    return {"int8": add_int8(encoder, workspace.images_dir, model, shape, find), "places": told}


class _KeypointsOfAll:
    """What an encoder and the heads of all places find in pictures."""

    def __init__(self, heads: Sequence[Path]) -> None:
        self._heads = [cpu_session(head) for head in heads]

    def __call__(self, encoder: Path, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        session, found = cpu_session(encoder), []
        for picture in pictures:
            features = dict(zip(FEATURES, session.run(None, {"image": picture[None]}), strict=True))
            found.append(np.concatenate([head.run(None, features)[0][0] for head in self._heads]))
        return np.stack(found)
