"""Train the landmark network on views of the map images.                                     (torch, lightning)

A frozen encoder sees each augmented view once; its features are kept in memory and only the head trains, which on
two cores takes minutes (after ACE, "Accelerated Coordinate Encoding", CVPR 2023). An encoder that is not frozen
trains as a whole on fresh views.
"""

from __future__ import annotations

import dataclasses
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray

from reloc_ros.bundle import NetworkShape
from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.training.augment import AugmentConfig, ViewSampler
from reloc_ros.offline.training.feature_cache import (
    Batch,
    affordable_views,
    cached_batches,
    encode_images,
    encode_views,
    fast_encoder,
    fresh_batches,
)
from reloc_ros.offline.training.fit import (
    Batches,
    Clock,
    LandmarkTraining,
    ReportProgress,
    SaveCheckpoints,
    Validation,
    WriteCurves,
    compute_dtype,
    make_trainer,
)
from reloc_ros.offline.training.pretrained import fetched_weights
from reloc_ros.offline.training.recipe import Hardware
from reloc_ros.offline.training.validation import AUTO, PoseErrors, PoseValidator, Truth, validation_images

logger = logging.getLogger(__name__)


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
    """Augmented views whose features are kept, fewer where memory is short; too few, and it learns them by heart."""
    steps: int = 1000
    minutes: float | None = None
    """Budget for encoding and training together, instead of `steps`; two such runs are alike, not the same."""
    batch: int = 16
    learning_rate: float = 6e-3
    weight_decay: float = 1e-2
    seed: int = 0
    validation: str = AUTO
    """Map images that are not trained on but tell which weights are best: see `validation_images`."""
    patience: float = 0.3
    """Share of the schedule without a lower pose error after which training comes to its end; 1 is never."""
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)


LANDMARKS_PER_HEAD = 300
"""More are parted into groups with a head of their own (so many a network in Scene Landmark Detection, 3DV 2024)."""
ENCODE_SHARE = 0.25
"""Of a time budget, at most, for encoding views."""


def train_network(
    folder: Path,
    images: list[NDArray[np.uint8]],
    labels: Labels,
    config: TrainConfig,
    progress: Progress = silent,
    truth: Truth | None = None,
    hardware: Hardware = Hardware(),  # noqa: B008, it is frozen
    tensorboard: bool = False,
) -> tuple[LandmarkNetwork, dict[str, Any]]:
    """Train on `images` and their labels; checkpoints and curves go to `folder`, where a stopped run goes on.

    On several devices or machines every process runs this, and only the first writes and has the best weights.
    Without `truth` nothing is validated and every image is trained on. Returns the network and a summary for people:
    steps, seconds, encoder weights, final losses, and what the validation images gave.
    """
    started = time.monotonic()
    lightning.seed_everything(config.seed, verbose=False)
    network = LandmarkNetwork(network_shape(images, labels, config))
    file = config.encoder_weights or (fetched_weights(config.encoder) if config.download else None)
    weights = network.features.encoder.load_pretrained(file)
    logger.info("encoder %s: %s", config.encoder, weights)
    run = _Run(network, images, labels, config, progress, truth, started)
    checkpoint = folder / "checkpoints" / "last.ckpt"
    callbacks = [
        Clock(),
        Validation(run.measure, config.patience),
        WriteCurves(folder / "curves" / "metrics.csv"),
        ReportProgress(progress),
        SaveCheckpoints(checkpoint),
    ]
    trainer = make_trainer(
        folder, config.steps if config.minutes is None else -1, hardware, tensorboard, callbacks
    )
    resume = {"ckpt_path": checkpoint, "weights_only": True} if checkpoint.is_file() else {}
    with warnings.catch_warnings():
        # Of what is meant so: an encoder in evaluation mode, data that is in memory already; and of its own insides.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"lightning\.")
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*LeafSpec")
        trainer.fit(run.module, datamodule=Batches(run.prepare), **resume)
    summary = {
        "steps": trainer.global_step,
        "seconds": round(time.monotonic() - started, 1),
        "encoder_weights": weights,
        "losses": {name: round(float(value), 4) for name, value in run.module.losses.items()},
        "validation": run.keep_best(),
    }
    return network.eval(), summary


class _Run:
    """One training: its network, and the data that each process makes once it runs."""

    def __init__(
        self,
        network: LandmarkNetwork,
        images: list[NDArray[np.uint8]],
        labels: Labels,
        config: TrainConfig,
        progress: Progress,
        truth: Truth | None,
        started: float,
    ) -> None:
        self._network, self._config, self._progress, self._started = network, config, progress, started
        self.module = LandmarkTraining(network, config, network.features.encoder.FROZEN)
        unseen = np.zeros(len(images), dtype=bool)
        if truth is not None:
            unseen = validation_images(labels.names, config.validation)
        seen, rows = np.flatnonzero(~unseen), np.flatnonzero(unseen)
        size = (network.shape.width, network.shape.height)
        shown = Labels(
            tuple(labels.names[i] for i in seen), labels.keypoints_px[seen], labels.visibility[seen]
        )
        self._sampler = ViewSampler([images[i] for i in seen], shown, size, config.augment, config.seed)
        self._names = [labels.names[i] for i in rows]
        self._validator = None
        if len(rows):
            self._validator = PoseValidator(network.shape, [images[i] for i in rows], truth.subset(rows))

    def prepare(self, trainer: lightning.Trainer) -> Callable[[int], Iterator[Batch]]:
        """Make this process's data; returns its batches from any step on."""
        config, share = self._config, (trainer.global_rank, trainer.world_size)
        total_s = None if config.minutes is None else 60 * config.minutes
        self._dtype = compute_dtype(trainer)
        if self.module.frozen:
            from_step = self._encode(share, trainer.strategy.root_device, total_s)
        else:
            if self._validator is not None and trainer.is_global_zero:
                self._inputs = torch.from_numpy(np.stack(self._validator.pictures))

            def from_step(step: int) -> Iterator[Batch]:
                return fresh_batches(self._sampler, config.batch, step, share)

        if total_s is not None:
            spent_s = time.monotonic() - self._started
            self.module.schedule.budget_s = max(total_s - spent_s, 0.25 * total_s)
        return from_step

    def _encode(
        self, share: tuple[int, int], device: torch.device, total_s: float | None
    ) -> Callable[[int], Iterator[Batch]]:
        config, network, dtype = self._config, self._network, self._dtype
        encode = fast_encoder(network.features, network.shape, device)
        limit_s = np.inf if total_s is None else ENCODE_SHARE * total_s
        asked = -(-config.views // share[1])
        count, as_bytes = affordable_views(network, asked, share[1])
        half = torch.float16 if dtype == torch.float32 else dtype
        kept = torch.int8 if as_bytes else half
        views = encode_views(network, self._sampler, count, self._progress, limit_s, kept, share, encode)
        if self._validator is not None and share[0] == 0:
            self._inputs = encode_images(network, self._validator.pictures, encode, dtype)
        return lambda step: cached_batches(views, config.batch, dtype, config.seed, step)

    @property
    def measure(self) -> Callable[[], dict[str, PoseErrors]] | None:
        """Finds the pose errors of the network as it is; None without validation images."""
        if self._validator is None:
            return None
        return lambda: self._validator(self._network, self._inputs, self._dtype)

    def keep_best(self) -> dict[str, Any] | None:
        """Put the best weights into the network; returns what is worth telling of the validation."""
        keeper = self.module.keeper
        if self._validator is None or keeper.kept is None:
            return None
        self.module.trained.load_state_dict(keeper.kept)
        errors = self._validator(self._network, self._inputs, self._dtype)
        return {
            "images": self._names,
            "best_at": round(keeper.kept_at, 3),
            "conditions": {name: _finite(dataclasses.asdict(found)) for name, found in errors.items()},
        }


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """For JSON, which has no NaN."""
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in values.items()}


def network_shape(images: list[NDArray[np.uint8]], labels: Labels, config: TrainConfig) -> NetworkShape:
    """The network's input: `config.width` along the longer side, the aspect of most images, multiples of 32."""
    sizes, counts = np.unique([image.shape[1::-1] for image in images], axis=0, return_counts=True)
    width, height = sizes[np.argmax(counts)]
    scale = config.width / max(width, height)
    width, height = (max(32, 32 * round(side * scale / 32)) for side in (width, height))
    landmarks = labels.keypoints_px.shape[1]
    return NetworkShape(config.encoder, landmarks, width, height, groups=-(-landmarks // LANDMARKS_PER_HEAD))
