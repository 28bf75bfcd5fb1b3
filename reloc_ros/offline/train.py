"""Train the landmark network on views of the map images.                                     (torch, lightning)

A frozen encoder sees each augmented view once; its features are kept in memory and only the head trains, which on
two cores takes minutes (after ACE, "Accelerated Coordinate Encoding", CVPR 2023). An encoder that is not frozen
trains as a whole on fresh views.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
import warnings
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from reloc_ros.bundle import NetworkShape
from reloc_ros.network import LandmarkNetwork
from reloc_ros.offline.augment import AugmentConfig
from reloc_ros.offline.label import Labels
from reloc_ros.offline.losses import landmark_loss
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.views import (
    Batch,
    CachedFeatures,
    FreshViews,
    ViewSampler,
    affordable_views,
    encode_views,
    has_fast_bfloat16,
)

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The recipe; every default is what measured best on two cores within ten minutes."""

    encoder: str = "efficientnet_lite0"
    encoder_weights: Path | None = None
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
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)


ENCODE_SHARE = 0.25
"""Of a time budget, at most, for encoding views."""


class LandmarkTraining(lightning.LightningModule):
    """AdamW on the landmark loss, its rate following one cycle over the steps, or over the time there is.

    A frozen encoder takes no part.
    """

    def __init__(self, network: LandmarkNetwork, config: TrainConfig, budget_s: float | None) -> None:
        super().__init__()
        self.network, self.config, self.budget_s = network, config, budget_s
        self._spent_s = 0.0  # before this process, when a stopped run goes on
        self._started = time.monotonic()
        if network.features.encoder.FROZEN:
            network.features.requires_grad_(False)

    @property
    def fraction(self) -> float:
        """How much of the training is done, 0 to 1."""
        if self.budget_s is None:
            return min(self.global_step / self.config.steps, 1.0)
        return min((self._spent_s + time.monotonic() - self._started) / self.budget_s, 1.0)

    def on_train_start(self) -> None:
        self._started = time.monotonic()

    def on_train_batch_start(self, batch: Batch, _: int) -> None:
        for group in self.optimizers().param_groups:
            group["lr"] = self.config.learning_rate * one_cycle(self.fraction)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        frozen = self.network.features.encoder.FROZEN
        features = batch.inputs if frozen else self.network.features(batch.inputs)
        losses = landmark_loss(self.network.head(features), batch.keypoints_px, batch.visibility)
        self.log_dict(losses, batch_size=len(batch.inputs))
        return losses["loss"]

    def on_train_batch_end(self, *_: Any) -> None:
        self.trainer.should_stop |= self.fraction >= 1.0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["spent_s"] = self._spent_s + time.monotonic() - self._started

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._spent_s = checkpoint["spent_s"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(
            parameters, lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )


def one_cycle(fraction: float) -> float:
    """Share of the learning rate: a short rise, then a cosine to nothing (Smith, "Super-Convergence", 2018)."""
    rise = 0.1
    if fraction < rise:
        return 0.04 + 0.96 * fraction / rise
    return 0.5 * (1 + math.cos(math.pi * (fraction - rise) / (1 - rise)))


class ReportProgress(lightning.Callback):
    """Passes Lightning's steps, or the seconds of a budget, on to our progress callback."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        if module.budget_s is None:
            self._progress("train", trainer.global_step, module.config.steps)
        else:
            self._progress("train, seconds", int(module.fraction * module.budget_s), int(module.budget_s))


def train_network(
    folder: Path,
    images: list[NDArray[np.uint8]],
    labels: Labels,
    config: TrainConfig,
    progress: Progress = silent,
) -> tuple[LandmarkNetwork, dict[str, Any]]:
    """Train on `images` and their labels; checkpoints and curves go to `folder`, where a stopped run goes on.

    Returns the network and a summary for people: steps, seconds, encoder weights, final losses.
    """
    started = time.monotonic()
    lightning.seed_everything(config.seed, verbose=False)
    network = LandmarkNetwork(network_shape(images, labels, config))
    weights = network.features.encoder.load_pretrained(config.encoder_weights)
    logger.info("encoder %s: %s", config.encoder, weights)
    size = (network.shape.width, network.shape.height)
    sampler = ViewSampler(images, labels, size, config.augment, config.seed)
    total_s = None if config.minutes is None else 60 * config.minutes
    if network.features.encoder.FROZEN:
        limit_s = np.inf if total_s is None else ENCODE_SHARE * total_s
        count = affordable_views(network, config.views)
        data: Dataset = CachedFeatures(encode_views(network, sampler, count, progress, limit_s))
    else:
        data = FreshViews(sampler, 10**9)
    spent_s = time.monotonic() - started
    budget_s = None if total_s is None else max(total_s - spent_s, 0.25 * total_s)
    module = LandmarkTraining(network, config, budget_s)
    trainer = _trainer(folder, -1 if budget_s else config.steps, progress)
    checkpoint = folder / "checkpoints" / "last.ckpt"
    resume = {"ckpt_path": checkpoint, "weights_only": True} if checkpoint.is_file() else {}
    with warnings.catch_warnings():
        # Of what is meant so: an encoder in evaluation mode, data that is in memory already; and of its own insides.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"lightning\.")
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*LeafSpec")
        trainer.fit(module, _loader(data, config), **resume)
    summary = {
        "steps": trainer.global_step,
        "seconds": round(time.monotonic() - started, 1),
        "encoder_weights": weights,
        "losses": {name: round(float(value), 4) for name, value in trainer.logged_metrics.items()},
    }
    return network.eval(), summary


CHECKPOINT_STEPS = 100
"""A stopped training loses at most this many."""


def network_shape(images: list[NDArray[np.uint8]], labels: Labels, config: TrainConfig) -> NetworkShape:
    """The network's input: `config.width` along the longer side, the aspect of most images, multiples of 32."""
    sizes, counts = np.unique([image.shape[1::-1] for image in images], axis=0, return_counts=True)
    width, height = sizes[np.argmax(counts)]
    scale = config.width / max(width, height)
    width, height = (max(32, 32 * round(side * scale / 32)) for side in (width, height))
    return NetworkShape(config.encoder, labels.keypoints_px.shape[1], width, height)


def _loader(data: Dataset, config: TrainConfig) -> DataLoader:
    generator = torch.Generator().manual_seed(config.seed)
    shuffle = isinstance(data, CachedFeatures)  # fresh views are random already
    return DataLoader(data, config.batch, shuffle, drop_last=True, collate_fn=_as_is, generator=generator)


def _as_is(batch: Batch) -> Batch:
    return batch


def _trainer(folder: Path, max_steps: int, progress: Progress) -> lightning.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    accelerator = "auto" if torch.cuda.is_available() else "cpu"
    if accelerator == "cpu":
        precision = "bf16-mixed" if has_fast_bfloat16() else "32-true"
    else:
        precision = "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    saver = ModelCheckpoint(
        folder / "checkpoints", save_last=True, every_n_train_steps=CHECKPOINT_STEPS, save_top_k=0
    )
    return lightning.Trainer(
        accelerator=accelerator,
        precision=precision,
        max_steps=max_steps,
        max_epochs=-1,
        min_epochs=0,
        gradient_clip_val=1.0,
        callbacks=[saver, ReportProgress(progress)],
        logger=CSVLogger(folder, name="curves", version=""),
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
