"""Train the landmark network on views of the map images.                                     (torch, lightning)

A frozen encoder sees each augmented view once; its features are kept on disk and only the head trains, which on
two cores takes minutes (after ACE, "Accelerated Coordinate Encoding", CVPR 2023). An encoder that is not frozen
trains as a whole on fresh views.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import logging
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
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
from reloc_ros.offline.sources.copies import copies_among
from reloc_ros.offline.training.augment import ViewSampler
from reloc_ros.offline.training.feature_cache import (
    Batch,
    EncodedViews,
    affordable_views,
    cached_batches,
    encode_images,
    encode_views,
    fast_encoder,
    fresh_batches,
)
from reloc_ros.offline.training.fit import (
    Clock,
    LandmarkTraining,
    SaveCheckpoints,
    WriteCurves,
    compute_dtype,
    make_trainer,
)
from reloc_ros.offline.training.pretrained import fetched_weights
from reloc_ros.offline.training.recipe import Hardware, TrainConfig, heads_for
from reloc_ros.offline.training.stored_images import StoredImage
from reloc_ros.offline.training.validation import (
    PoseErrors,
    PoseValidator,
    Truth,
    Validation,
    validation_images,
)

logger = logging.getLogger(__name__)


ENCODE_SHARE = 0.25
"""Of a time budget, at most, for encoding views."""


def train_network(
    folder: Path,
    images: Sequence[NDArray[np.uint8] | StoredImage],
    labels: Labels,
    config: TrainConfig,
    progress: Progress = silent,
    truth: Truth | None = None,
    hardware: Hardware = Hardware(),  # noqa: B008, it is frozen
    tensorboard: bool = False,
    size: tuple[int, int] | None = None,
    unseen: Collection[str] | None = None,
) -> tuple[LandmarkNetwork, dict[str, Any]]:
    """Train on `images` and their labels; checkpoints and curves go to `folder`, where a stopped run goes on.

    On several devices or machines every process runs this, and only the first writes and has the best weights.
    Without `truth` nothing is validated and every image is trained on. Returns the network and a summary for people:
    steps, seconds, encoder weights, final losses, and what the validation images gave.

    Args:
        size: width and height of the network's input; without, what fits most images, see `network_shape`.
        unseen: names of the images to validate with; without, as the rule of the recipe says.
    """
    started = time.monotonic()
    _keep_freed_memory()
    lightning.seed_everything(config.seed, verbose=False)
    shape = network_shape(images, labels, config)
    if size is not None:
        shape = dataclasses.replace(shape, width=size[0], height=size[1])
    network = LandmarkNetwork(shape)
    file = config.encoder_weights or (fetched_weights(config.encoder) if config.download else None)
    weights = network.features.encoder.load_pretrained(file)
    logger.info("encoder %s: %s", config.encoder, weights)
    run = _Run(network, folder, images, labels, config, progress, truth, started, unseen)
    checkpoint = folder / "checkpoints" / "last.ckpt"
    callbacks = [
        Clock(progress),
        *([Validation(run.measure, config.patience)] if run.validates else []),
        WriteCurves(folder / "curves" / "metrics.csv"),
        SaveCheckpoints(checkpoint),
    ]
    max_steps = config.steps if config.minutes is None else -1
    trainer = make_trainer(folder, max_steps, hardware, tensorboard, callbacks)
    with warnings.catch_warnings():
        # Of what is meant so: an encoder in evaluation mode, data that is in memory already; and of its own insides.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"lightning\.")
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*LeafSpec")
        trainer.fit(run.module, datamodule=run, ckpt_path=checkpoint if checkpoint.is_file() else None)
    summary = {
        "steps": trainer.global_step,
        "seconds": round(time.monotonic() - started, 1),
        "encoder_weights": weights,
        "losses": {name: round(float(value), 4) for name, value in run.module.losses.items()},
        "validation": run.keep_best(),
    }
    return network.eval(), summary


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed: a step's tensors come again, and the system clears each page it hands out."""
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of mallopt(3)
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


class _Run(lightning.LightningDataModule):
    """One training: its network, and the data, of which each process makes its own share once all of them run."""

    def __init__(
        self,
        network: LandmarkNetwork,
        folder: Path,
        images: Sequence[NDArray[np.uint8] | StoredImage],
        labels: Labels,
        config: TrainConfig,
        progress: Progress,
        truth: Truth | None,
        started: float,
        named: Collection[str] | None,
    ) -> None:
        super().__init__()
        self._network, self._config, self._progress, self._started = network, config, progress, started
        self._folder = folder
        self.module = LandmarkTraining(network, config, network.features.encoder.FROZEN)
        size = (network.shape.width, network.shape.height)
        folder.mkdir(parents=True, exist_ok=True)
        sampler = ViewSampler(images, labels, size, config.augment, config.seed, folder, progress)
        unseen = np.zeros(len(images), dtype=bool)
        if truth is not None:
            copy_of = copies_among(sampler.thumbnails())
            if named is None:
                unseen = validation_images(labels.names, config.validation, copy_of)
            else:
                unseen = np.isin(copy_of, copy_of[np.isin(labels.names, list(named))])
            self._copies = int(unseen.sum()) - len(np.unique(copy_of[unseen]))
        rows = np.flatnonzero(unseen)
        self._sampler = sampler.of_images(np.flatnonzero(~unseen))
        self._views: EncodedViews | None = None
        self._names = labels.of_images(rows).names
        self.validates = len(rows) > 0
        if self.validates:
            self._validator = PoseValidator(network.shape, [images[i] for i in rows], truth.subset(rows))

    def setup(self, stage: str) -> None:
        trainer, minutes = self.trainer, self._config.minutes
        self._share = (trainer.global_rank, trainer.world_size)
        self._dtype = compute_dtype(trainer)
        if self.module.frozen:
            self._encode(np.inf if minutes is None else ENCODE_SHARE * 60 * minutes)
        elif self.validates:
            self._inputs = torch.from_numpy(np.stack(self._validator.pictures))
        if minutes is not None:
            spent_s = time.monotonic() - self._started
            self.module.schedule.budget_s = max(60 * minutes - spent_s, 0.25 * 60 * minutes)

    def _encode(self, limit_s: float) -> None:
        network, dtype, (first, processes) = self._network, self._dtype, self._share
        encode = fast_encoder(network.features, network.shape, self.trainer.strategy.root_device)
        images = self._sampler.images
        asked = -(-max(self._config.views, images) // processes)
        count, as_bytes = affordable_views(network, asked, images, self._folder, processes)
        kept = torch.float16 if dtype == torch.float32 else dtype
        self._views = encode_views(
            network,
            encode,
            self._sampler,
            count,
            self._progress,
            limit_s,
            torch.int8 if as_bytes else kept,
            self._share,
            self._folder,
        )
        if self.validates and first == 0:
            self._inputs = encode_images(network, self._validator.pictures, encode, dtype)

    def train_dataloader(self) -> Iterator[Batch]:
        """Batches from the step on that was reached."""
        config, step = self._config, self.trainer.global_step
        if self._views is None:
            return fresh_batches(self._sampler, config.batch, step, self._share)
        return cached_batches(self._views, config.batch, self._dtype, config.seed, step)

    def measure(self) -> dict[str, PoseErrors]:
        """The pose errors of the network as it is, by condition."""
        return self._validator(self._network, self._inputs, self._dtype)

    def keep_best(self) -> dict[str, Any] | None:
        """Put the best weights into the network; returns what is worth telling of the validation."""
        keeper = self.module.keeper
        if keeper.kept is None:
            return None
        self.module.trained.load_state_dict(keeper.kept)
        errors = self.measure()
        return {
            "images": list(self._names),
            "copies": self._copies,
            "best_at": round(keeper.kept_at, 3),
            "conditions": {name: _finite(dataclasses.asdict(found)) for name, found in errors.items()},
        }


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """For JSON, which has no NaN."""
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in values.items()}


def network_shape(
    images: Sequence[NDArray[np.uint8] | StoredImage], labels: Labels, config: TrainConfig
) -> NetworkShape:
    """The network's input: `config.width` along the longer side, the aspect of most images, multiples of 32."""
    sizes, counts = np.unique([image.shape[1::-1] for image in images], axis=0, return_counts=True)
    width, height = sizes[np.argmax(counts)]
    scale = config.width / max(width, height)
    width, height = (max(32, 32 * round(side * scale / 32)) for side in (width, height))
    landmarks = labels.keypoints_px.shape[1]
    groups = heads_for(landmarks)
    return NetworkShape(config.encoder, landmarks, width, height, groups=groups, separable=True)
