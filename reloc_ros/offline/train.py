"""Train the landmark network on views of the map images.                                     (torch, lightning)

A frozen encoder sees each augmented view once; its features are kept in memory and only the head trains, which on
two cores takes minutes (after ACE, "Accelerated Coordinate Encoding", CVPR 2023). An encoder that is not frozen
trains as a whole on fresh views.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import logging
import math
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from reloc_ros.bundle import NetworkShape
from reloc_ros.network import STRIDE, FeaturePyramid, LandmarkNetwork
from reloc_ros.offline.augment import AugmentConfig, View, base_from_image, base_size, make_view
from reloc_ros.offline.label import Labels
from reloc_ros.offline.losses import landmark_loss
from reloc_ros.offline.progress import Progress, silent

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


class ViewSampler:
    """Random views of all map images, the same for the same seed and index."""

    def __init__(
        self,
        images: list[NDArray[np.uint8]],
        labels: Labels,
        size: tuple[int, int],
        config: AugmentConfig,
        seed: int,
    ) -> None:
        self._size, self._config, self._seed = size, config, seed
        self._bases, self._keypoints = [], []
        self._visibility = labels.visibility
        for image, keypoints in zip(images, labels.keypoints_px, strict=True):
            height, width = image.shape[:2]
            self._bases.append(
                cv2.resize(image, base_size(width, height, size), interpolation=cv2.INTER_AREA)
            )
            to_base = base_from_image(width, height, size)
            self._keypoints.append((keypoints @ to_base[:2, :2].T + to_base[:2, 2]).astype(np.float32))

    def __call__(self, index: int) -> View:
        image = index % len(self._bases)
        rng = np.random.default_rng([self._seed, index])
        return make_view(
            self._bases[image], self._keypoints[image], self._visibility[image], self._size, self._config, rng
        )


@dataclasses.dataclass
class Batch:
    """B examples: `inputs` are features (B, C, h, w) of a frozen encoder, or images (B, H, W, 3) for a trained one."""

    inputs: Tensor
    keypoints_px: Tensor
    visibility: Tensor


def encode_views(
    network: LandmarkNetwork,
    sampler: ViewSampler,
    count: int,
    progress: Progress = silent,
    limit_s: float = np.inf,
) -> Batch:
    """Features of `count` views in half precision, the pyramid's standardization set from the first of them.

    After `limit_s` seconds no more are begun.
    """
    started = time.monotonic()
    shape = network.shape
    rows, columns = shape.height // STRIDE, shape.width // STRIDE
    channels = network.features.mean.shape[1]
    features = torch.empty((count, channels, rows, columns), dtype=torch.float16)
    keypoints = torch.empty((count, shape.landmarks, 2))
    visibility = torch.empty((count, shape.landmarks), dtype=torch.int8)
    encode = fast_encoder(network.features, shape)
    for start in range(0, count, ENCODE_BATCH):
        # The last batch is filled up: the engine was compiled for one size.
        views = [sampler(index) for index in range(start, start + ENCODE_BATCH)][: count - start]
        images = np.zeros((ENCODE_BATCH, shape.height, shape.width, 3), dtype=np.uint8)
        images[: len(views)] = [view.image for view in views]
        encoded = encode(images)[: len(views)]
        if start == 0:
            std, mean = torch.std_mean(encoded, dim=(0, 2, 3), keepdim=True)
            network.features.mean.copy_(mean)
            network.features.std.copy_(std + 1e-4)
        here = slice(start, start + len(views))
        features[here] = (encoded - network.features.mean) / network.features.std
        keypoints[here] = torch.from_numpy(np.stack([view.keypoints_px for view in views]))
        visibility[here] = torch.from_numpy(np.stack([view.visibility for view in views]))
        progress("encode views", here.stop, count)
        if time.monotonic() - started > limit_s and here.stop >= MIN_VIEWS:
            logger.info("%d views encoded in the time there is", here.stop)
            break
    return Batch(features[: here.stop], keypoints[: here.stop], visibility[: here.stop])


ENCODE_BATCH = 8
MIN_VIEWS = 64
ENCODE_SHARE = 0.25
"""Of a time budget, at most, for encoding views."""


def fast_encoder(pyramid: FeaturePyramid, shape: NetworkShape) -> Callable[[NDArray[np.uint8]], Tensor]:
    """The pyramid, not yet standardized, as the fastest function here: images (8, H, W, 3) to features.

    On a CPU that is OpenVINO, several times faster than PyTorch at depthwise convolutions; else PyTorch itself.
    """
    pyramid.eval()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and importlib.util.find_spec("openvino"):
        return _openvino_encoder(pyramid, shape)
    moved = copy.deepcopy(pyramid).to(device)

    def encode(images: NDArray[np.uint8]) -> Tensor:
        with torch.inference_mode():
            return moved(torch.from_numpy(images).to(device)).float().cpu()

    return encode


def _openvino_encoder(pyramid: FeaturePyramid, shape: NetworkShape) -> Callable[[NDArray[np.uint8]], Tensor]:
    import openvino  # optional; importing it takes a second

    example = torch.zeros((ENCODE_BATCH, shape.height, shape.width, 3), dtype=torch.uint8)
    with torch.inference_mode():
        model = openvino.convert_model(pyramid, example_input=example, input=list(example.shape))
    precision = "bf16" if _fast_bfloat16() else "f32"
    request = (
        openvino.Core()
        .compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
        .create_infer_request()
    )

    def encode(images: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(request.infer({0: images})[0].astype(np.float32))

    return encode


def affordable_views(network: LandmarkNetwork, config: TrainConfig) -> int:
    """The views asked for, or as many as fit into `MEMORY_SHARE` of this machine's memory."""
    shape = network.shape
    view_bytes = 2 * network.features.channels * (shape.height // STRIDE) * (shape.width // STRIDE)
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fitting = int(MEMORY_SHARE * memory_bytes / view_bytes)
    if fitting < config.views:
        logger.warning(
            "%d views instead of %d: no more fit into this machine's memory", fitting, config.views
        )
    return max(config.batch, min(config.views, fitting))


MEMORY_SHARE = 0.4
"""Of the machine's memory, for features."""


class CachedFeatures(Dataset):
    """Batches out of the encoded views."""

    def __init__(self, cache: Batch) -> None:
        self._cache = cache

    def __len__(self) -> int:
        return len(self._cache.inputs)

    def __getitems__(self, indices: list[int]) -> Batch:
        rows = torch.as_tensor(indices)
        cache = self._cache
        return Batch(cache.inputs[rows].float(), cache.keypoints_px[rows], cache.visibility[rows])


class FreshViews(Dataset):
    """Batches of views made as they are asked for, none twice."""

    def __init__(self, sampler: ViewSampler, count: int) -> None:
        self._sampler, self._count = sampler, count

    def __len__(self) -> int:
        return self._count

    def __getitems__(self, indices: list[int]) -> Batch:
        views = [self._sampler(index) for index in indices]
        stack = [
            np.stack([getattr(view, name) for view in views])
            for name in ("image", "keypoints_px", "visibility")
        ]
        return Batch(*map(torch.from_numpy, stack))


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
        count = affordable_views(network, config)
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
        precision = "bf16-mixed" if _fast_bfloat16() else "32-true"
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


def _fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself; emulated, it is slower than float32."""
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text(encoding="utf-8").split()) if info.is_file() else set()
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})
