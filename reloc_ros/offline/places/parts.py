"""What each network of a workspace learns: all landmarks, or those of a place."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.bundle import NETWORK, TORCH, place_model
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.places.partition import IS_LOOKED_AT
from reloc_ros.offline.workspace import Workspace


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """What one network learns."""

    name: str
    """Of its files in the workspace's `train`, without an ending."""
    landmarks: NDArray[np.int64]
    """Rows of the workspace's landmarks."""
    images: NDArray[np.int64]
    """Rows of the labels: of images that look at it."""


def parts_of(workspace: Workspace, labels: Labels) -> list[Part]:
    """What the networks of a workspace are to learn: one, or one for each place."""
    sizes = place_sizes(workspace)
    if not sizes:
        images, landmarks = (np.arange(count) for count in labels.visibility.shape)
        return [Part(NETWORK, landmarks, images)]
    parts = []
    for place, landmarks in enumerate(np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])):
        seen = (labels.visibility[:, landmarks] == Visibility.SEEN).sum(axis=1)
        parts.append(Part(place_model(place), landmarks, np.flatnonzero(seen >= IS_LOOKED_AT)))
    return parts


def place_sizes(workspace: Workspace) -> tuple[int, ...]:
    """How many landmarks are of each place, in their order; none in a map of one."""
    return tuple((workspace.summary("select") or {}).get("places", ()))


def network_files(workspace: Workspace) -> list[Path]:
    """Where the weights are: of the one network, or of that of each place."""
    places = range(len(place_sizes(workspace)))
    names = [place_model(place) for place in places] or [NETWORK]
    return [workspace.train_dir / (name + TORCH) for name in names]
