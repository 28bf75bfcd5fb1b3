"""What a mapped workspace gives the steps after it: the model without what is held out, and its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError
from reloc_ros.geometry import Camera
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.sources.frames import read_photo
from reloc_ros.offline.workspace import Workspace


def map_model(workspace: Workspace) -> SfmModel:
    """The model as the map may know it: without anything of the held-out images."""
    model = SfmModel.load(workspace.model_path)
    return model.without(workspace.is_held_out(model.names))


def read_mapped(
    workspace: Workspace, names: Sequence[str], cameras: Sequence[Camera]
) -> Iterator[NDArray[np.uint8]]:
    """Images one by one, each of the size that the map was made from."""
    for name, camera in zip(names, cameras, strict=True):
        image = read_photo(workspace.images_dir / name)
        if image.shape[:2] != (camera.height, camera.width):
            raise RelocError(
                f"image {workspace.images_dir / name} is {image.shape[1]}x{image.shape[0]}, but the map was made from "
                f"{camera.width}x{camera.height}; put the original back or map again"
            )
        yield image
