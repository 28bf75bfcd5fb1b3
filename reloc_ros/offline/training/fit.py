"""The training loop around the network: Lightning's, with our clock, validation and checkpoints.  (torch, lightning)"""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import Tensor, nn

from reloc_ros.errors import RelocError
from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.inference.processor import has_fast_bfloat16
from reloc_ros.io.atomic import atomic_path
from reloc_ros.offline.training.feature_cache import Batch
from reloc_ros.offline.training.losses import landmark_loss
from reloc_ros.offline.training.optimizer import MuonAndAdamW
from reloc_ros.offline.training.schedule import Keeper, Schedule

if TYPE_CHECKING:
    from reloc_ros.offline.training.recipe import TrainConfig


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What to train on; no part of the recipe, and a stopped training may go on on other."""

    accelerator: str = "auto"
    devices: int = 1
    """On each machine; more than one, or more machines, train by DDP."""
    nodes: int = 1
    strategy: str = "auto"


def is_first_process() -> bool:
    """Whether this process is the one of possibly several that writes; Lightning starts them with their numbers set."""
    machine = int(os.environ.get("NODE_RANK", os.environ.get("GROUP_RANK", "0")))
    return rank_zero_only.rank == 0 and machine == 0


class LandmarkTraining(lightning.LightningModule):
    """The landmark loss and its optimizer, whose rates follow the schedule. A frozen encoder takes no part."""

    def __init__(self, network: LandmarkNetwork, config: TrainConfig, frozen: bool) -> None:
        super().__init__()
        self.network, self.config, self.frozen = network, config, frozen
        self.schedule = Schedule(config.steps, None)
        self.fraction = 0.0
        """Of the schedule, as of the last finished step; the same in all processes."""
        self.spent_s = 0.0
        self.keeper = Keeper()
        self.losses: dict[str, Tensor] = {}
        """Of the last step."""
        self._random: tuple[Tensor, Tensor | None] | None = None
        """State of the random numbers where a stopped training goes on."""
        if frozen:
            network.features.requires_grad_(False)

    @property
    def trained(self) -> nn.Module:
        """The part of the network that changes."""
        return self.network.head if self.frozen else self.network

    def weights(self) -> dict[str, Tensor]:
        """A copy of what has been trained."""
        return {name: value.detach().cpu().clone() for name, value in self.trained.state_dict().items()}

    def on_train_batch_start(self, batch: Batch, _: int) -> None:
        for group in self.optimizers().param_groups:
            group["lr"] = group["initial_lr"] * self.schedule.rate(self.fraction)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        features = batch.inputs if self.frozen else self.network.features(batch.inputs)
        losses = landmark_loss(self.network.head, features, batch.keypoints_px, batch.visibility)
        self.losses = {name: value.detach() for name, value in losses.items()}
        return losses["loss"]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["reloc"] = {
            "spent_s": self.spent_s,
            "budget_s": self.schedule.budget_s,
            "cool_from": self.schedule.cool_from,
            "keeper": dataclasses.asdict(self.keeper),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        ours = checkpoint["reloc"]
        self.spent_s = ours["spent_s"]
        self.schedule.budget_s, self.schedule.cool_from = ours["budget_s"], ours["cool_from"]
        self.keeper = Keeper(**ours["keeper"])
        self._random = ours["random"], ours["random_cuda"]

    def on_train_start(self) -> None:
        if self._random is None:
            return
        state, state_cuda = self._random
        torch.set_rng_state(state)
        if state_cuda is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state_cuda)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return MuonAndAdamW(self.network, self.config.learning_rate, self.config.weight_decay)


class Batches(lightning.LightningDataModule):
    """Makes the data once all processes run, each its own share, and goes on from the step that was reached."""

    def __init__(self, prepare: Callable[[lightning.Trainer], Callable[[int], Iterator[Batch]]]) -> None:
        super().__init__()
        self._prepare = prepare

    def setup(self, stage: str) -> None:
        self._from_step = self._prepare(self.trainer)

    def train_dataloader(self) -> Iterator[Batch]:
        return self._from_step(self.trainer.global_step)


class AtomicCheckpoints(TorchCheckpointIO):
    """A checkpoint is there whole or not at all, whenever the process ends."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        with atomic_path(path) as temporary:
            torch.save(checkpoint, temporary)


def make_trainer(
    folder: Path, max_steps: int, hardware: Hardware, tensorboard: bool, callbacks: list[lightning.Callback]
) -> lightning.Trainer:
    """Lightning's trainer with curves in `folder`."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    curves: list[Logger] = [CSVLogger(folder, name="curves", version="", flush_logs_every_n_steps=1)]
    if tensorboard:
        curves.append(_tensorboard(folder))
    try:
        return lightning.Trainer(
            accelerator=_accelerator(hardware),
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            strategy=hardware.strategy,
            precision=_precision(hardware),
            max_steps=max_steps,
            max_epochs=-1,
            min_epochs=0,
            gradient_clip_val=1.0,
            callbacks=callbacks,
            plugins=[AtomicCheckpoints()],
            logger=curves,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ModuleNotFoundError, ValueError, RuntimeError) as error:
        raise RelocError(f"this machine cannot train so: {error}") from error


def _accelerator(hardware: Hardware) -> str:
    if hardware.accelerator != "auto":
        return hardware.accelerator
    return "cuda" if torch.cuda.is_available() else "cpu"


def _precision(hardware: Hardware) -> str:
    if _accelerator(hardware) == "cpu":
        return "bf16-mixed" if has_fast_bfloat16() else "32-true"
    return "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "16-mixed"


def compute_dtype(trainer: lightning.Trainer) -> torch.dtype:
    """What the head multiplies in: features given so are not converted at every step."""
    names = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return names.get(trainer.precision, torch.float32)


def _tensorboard(folder: Path) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    if not any(importlib.util.find_spec(name) for name in ("tensorboard", "tensorboardX")):
        raise RelocError("TensorBoard is not installed; run pip install tensorboard, or train without it")
    return TensorBoardLogger(folder, name="tensorboard", version="")
