"""What to train, and on what: everything that a training is told, with the defaults that measured best."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from reloc_ros.offline.training.augment import AugmentConfig

AUTO = "auto"
"""The rule for validation images that takes every tenth, see `validation_images`."""

LANDMARKS_PER_HEAD = 300
"""More are parted into groups with a head of their own (so many a network in Scene Landmark Detection, 3DV 2024)."""


def heads_for(landmarks: int) -> int:
    """How many heads a network of so many landmarks has."""
    return -(-landmarks // LANDMARKS_PER_HEAD)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The recipe; every default is what measured best on two cores within ten minutes."""

    encoder: str = "efficientnet_lite0"
    encoder_weights: Path | None = None
    download: bool = False
    """Fetch ImageNet weights for resnet18, from whose random ones it starts otherwise."""
    width: int = 512
    """Longer side of the network's input, pixels; the shorter follows the camera."""
    views: int = 1600
    """Augmented views whose features are kept, fewer where memory is short, at least one of each image; with too few it
    learns them by heart."""
    steps: int = 2000
    minutes: float | None = None
    """Budget for encoding and training together, instead of `steps`; two such runs are alike, not the same."""
    batch: int = 8
    """Two steps of 8 take as long as one of 16 and teach more: half the error or less after few, as much after many.
    Steps of 4 are still better at first, and worse in the end."""
    learning_rate: float = 6e-3
    weight_decay: float = 1e-2
    seed: int = 0
    validation: str = AUTO
    """Map images that are not trained on but tell which weights are best: see `validation_images`."""
    patience: float = 0.3
    """Share of the schedule without a lower pose error after which training comes to its end; 1 is never."""
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What to train on; no part of the recipe, and a stopped training may go on on other."""

    accelerator: str = "auto"
    devices: int = 1
    """On each machine; more than one, or more machines, train by DDP."""
    nodes: int = 1
    strategy: str = "auto"
